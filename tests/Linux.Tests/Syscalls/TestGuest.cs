using System.Text;
using DynaTrans.Linux.Files;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Processes;
using DynaTrans.Linux.Syscalls;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Linux.Tests.Syscalls;

/// <summary>A guest process without code, in an empty directory of its own: system calls are made directly.</summary>
internal sealed class TestGuest : IDisposable
{
    public const ulong Buffer = 0x20000;
    private const ulong Scratch = 0x10000, Size = 0x40000, Unmapped = 0x800000;
    private static int s_next = 1000;
    private readonly bool _ownsDirectory;
    private ulong _scratch = Scratch;

    public TestGuest(bool is32, string? root = null, string? directory = null, LinuxKernel? kernel = null)
    {
        Is32 = is32;
        _ownsDirectory = directory == null;
        Directory = directory ?? System.IO.Directory.CreateTempSubdirectory("guest").FullName;
        Kernel = kernel ?? new LinuxKernel(null) { Root = root };
        var memory = new ProcessMemory(is32, null) { Program = new GuestProgram(-1, is32, AddressLayout.Compact) };
        memory.Space.Map(Scratch, Size, PagePermission.Read | PagePermission.Write);
        var fd = Host.HostCalls.OpenAt(-100, Directory, OpenFlags.PathOnly | OpenFlags.Directory);
        var id = Interlocked.Increment(ref s_next);
        Process = new GuestProcess(Kernel, id, memory, new FdTable(), new FileSystemContext(new OpenFile(fd), 0x12))
        {
            Name = "test", ExecutablePath = "/bin/test", Arguments = ["test", "argument"],
        };
        Thread = new GuestThread(Process, id, Kernel.CreateVcpu(memory));
        Kernel.Add(Process);
        Kernel.Add(Thread);
    }

    public static ulong BadAddress => Unmapped;

    public bool Is32 { get; }

    public string Directory { get; }

    public LinuxKernel Kernel { get; }

    public GuestProcess Process { get; }

    public GuestThread Thread { get; }

    public AddressSpace Space => Process.Memory.Space;

    public Abi Abi => Is32 ? Abi.I386 : Abi.X64;

    /// <summary>Puts bytes somewhere in guest memory.</summary>
    public ulong Put(params byte[] bytes)
    {
        var at = _scratch;
        Assert.Equal(bytes.Length, Space.Write(at, bytes));
        _scratch += ((ulong)bytes.Length + 15) & ~15UL;
        Assert.True(_scratch < Buffer);
        return at;
    }

    public ulong Put(string text) => Put(Encoding.Latin1.GetBytes(text + "\0"));

    /// <summary>Puts 32-bit words.</summary>
    public ulong PutInts(params int[] words) => Put(words.SelectMany(BitConverter.GetBytes).ToArray());

    /// <summary>Puts C longs of the guest.</summary>
    public ulong PutLongs(params ulong[] words) =>
        Put(words.SelectMany(w => Is32 ? BitConverter.GetBytes((uint)w) : BitConverter.GetBytes(w)).ToArray());

    public byte[] Get(ulong address, int length)
    {
        var bytes = new byte[length];
        Assert.Equal(length, Space.Read(address, bytes));
        return bytes;
    }

    public int GetInt(ulong address) => BitConverter.ToInt32(Get(address, 4));

    public string GetText(ulong address, int length) => Encoding.Latin1.GetString(Get(address, length));

    /// <summary>Makes a system call by name.</summary>
    public long Call(string name, params ulong[] arguments)
    {
        var entry = SyscallTable.Default.All(Abi).First(e => e.Entry.Name == name).Entry;
        var a = new ulong[6];
        arguments.CopyTo(a, 0);
        if (Is32)
            for (var i = 0; i < 6; i++)
                a[i] = (uint)a[i];
        return entry.Invoke(new SyscallContext(Thread, Abi, a[0], a[1], a[2], a[3], a[4], a[5]));
    }

    /// <summary>Opens a file in the guest's directory.</summary>
    public long Open(string path, int flags, int mode = 0x1B6) => Call("open", Put(path), (ulong)flags, (ulong)mode);

    public void Dispose()
    {
        Process.Files.RemoveUser();
        Process.FileSystem.RemoveUser();
        Thread.DisposeCpu();
        Process.Memory.RemoveUser();
        if (_ownsDirectory)
            System.IO.Directory.Delete(Directory, true);
    }
}
