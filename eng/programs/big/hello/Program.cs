// Collections, tasks, exceptions, null references by faults, sockets, hashes, generated code and the collector.
using System.Net;
using System.Net.Sockets;
using System.Linq.Expressions;
using System.Security.Cryptography;
using System.Text.Json;

var data = File.ReadAllBytes("big.txt");
Console.WriteLine(Convert.ToHexString(SHA256.HashData(data)));
Console.WriteLine($"{System.Numerics.BigInteger.Pow(2, 200)} {Hot(300_000)}");
Console.WriteLine(JsonSerializer.Serialize(File.ReadAllText("text.txt").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
    .GroupBy(w => w).OrderBy(g => g.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count())));
try
{
    string? none = args.Length > 100 ? "" : null;
    Console.WriteLine(none!.Length);
}
catch (NullReferenceException)
{
    Console.WriteLine("null");
}

var parts = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => i * i)));
Console.WriteLine($"{parts.Sum()} {Enumerable.Range(0, 100_000).AsParallel().Count(i => i % 3 == 0)}");
using var listener = new TcpListener(IPAddress.Loopback, 0);
listener.Start();
var answer = Task.Run(async () =>
{
    using var peer = await listener.AcceptTcpClientAsync();
    await peer.GetStream().WriteAsync("over a socket"u8.ToArray());
});
using var client = new TcpClient();
await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
Console.WriteLine(await new StreamReader(client.GetStream()).ReadToEndAsync());
await answer;
Expression<Func<int, int>> square = x => x * x + 1;
Console.WriteLine(square.Compile()(9));
var kept = new List<byte[]>();
for (var i = 0; i < 20_000; i++)
{
    var bytes = new byte[1024];
    bytes[0] = (byte)i;
    if (i % 100 == 0)
        kept.Add(bytes);
}

GC.Collect();
Console.WriteLine(kept.Sum(b => b[0]));
return 5;

static long Hot(int n)
{
    long s = 0;
    for (var i = 0; i < n; i++)
        s += System.Numerics.BitOperations.PopCount((uint)i) * (long)i % 7;
    return s;
}
