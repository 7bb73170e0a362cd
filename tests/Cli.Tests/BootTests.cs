using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using DynaTrans.Cli.Tests.Tools;

namespace DynaTrans.Cli.Tests;

/// <summary><c>dynatrans boot</c> as a user calls it: a multiboot kernel of a few instructions, and what cannot be booted.</summary>
public sealed class BootTests : IDisposable
{
    private const string Message = "Hello, serial line";
    private const int Reset = 4, TripleFault = 6, Halted = 8, Usage = 125, CannotRun = 126, Asked = 0x43;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("boot").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("auto")]
    [InlineData("interp")]
    [InlineData("jit")]
    public void PrintsAndEndsWithTheStatusThatTheGuestAsksFor(string engine)
    {
        var result = Cli.Run("boot", "--kernel", Kernel(), "--engine", engine, "--device", "isa-debug-exit,iobase=0xf4", "--debugcon", $"0xe9={_folder}/log");
        Assert.Equal((Asked, Message), (result.Status, result.Output.TrimEnd('\n')));
        Assert.Equal("!", File.ReadAllText(Path.Join(_folder, "log")));
    }

    [Fact]
    public void TheSerialPortMayBeAFile()
    {
        var result = Cli.Run("boot", "--kernel", Kernel(), "--serial", $"{_folder}/out", "--device", "isa-debug-exit,iobase=0xf4", "--stats");
        Assert.Equal((Asked, string.Empty), (result.Status, result.Output));
        Assert.Equal(Message, File.ReadAllText(Path.Join(_folder, "out")));
        Assert.Contains("dynatrans: instructions", result.Error);
    }

    [Fact]
    public async Task TheSerialPortMayBeASocket()
    {
        var path = Path.Join(_folder, "socket");
        var run = Task.Run(() => Cli.Run("boot", "--kernel", Kernel(), "--serial", $"unix:{path}", "--device", "isa-debug-exit,iobase=0xf4"));
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        while (!run.IsCompleted && !socket.Connected)
        {
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }

        using var reader = new StreamReader(new NetworkStream(socket));
        Assert.Equal(Message, await reader.ReadToEndAsync());
        Assert.Equal(Asked, (await run).Status);
        Assert.False(File.Exists(path));
    }

    // The port is one that is free, and standard error says which.
    [Fact]
    public async Task TheSerialPortMayBeATcpPort()
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [ShippedCommand.Library, "boot", "--kernel", Echo(), "--serial", "tcp:0", "--device", "isa-debug-exit,iobase=0xf4"])
        {
            RedirectStandardError = true,
        })!;
        try
        {
            var waiting = await process.StandardError.ReadLineAsync();
            Assert.StartsWith("dynatrans: waiting for a connection to tcp:", waiting);
            using var peer = new TcpClient("127.0.0.1", int.Parse(waiting![(waiting!.LastIndexOf(':') + 1)..]));
            using var reader = new StreamReader(peer.GetStream());
            var typed = new string('x', 3000) + "q";
            await peer.GetStream().WriteAsync(Encoding.ASCII.GetBytes(typed));
            Assert.Equal(typed, await reader.ReadToEndAsync().WaitAsync(s_patience));
            await process.WaitForExitAsync().WaitAsync(s_patience);
            Assert.Equal((Asked, string.Empty), (process.ExitCode, await process.StandardError.ReadToEndAsync()));
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public void ATcpPortThatIsTakenIsOneLine()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        Cli.AssertFails(CannotRun, $"tcp:{port}: ", Cli.Run("boot", "--kernel", Kernel(), "--serial", $"tcp:{port}"));
    }

    // mov ax, 2000h; mov dx, 604h; out dx, ax: SLP_EN in the control register of power management
    [Fact]
    public void PowerOffIsSuccess() => Assert.Equal(0, Cli.Run("boot", "--kernel", Kernel([0x66, 0xB8, 0x00, 0x20, 0x66, 0xBA, 0x04, 0x06, 0x66, 0xEF, 0xEB, 0xFE])).Status);

    // lidt of six zero bytes; int3
    [Fact]
    public void ATripleFaultHasAStatusOfItsOwn() =>
        Cli.AssertFails(TripleFault, "triple fault", Cli.Run("boot", "--kernel", Kernel([0x0F, 0x01, 0x1D, 0x00, 0x00, 0x00, 0x00, 0xCC])));

    [Fact]
    public void ResetAndHaltHaveStatusesOfTheirOwn()
    {
        Assert.Equal(Reset, Cli.Run("boot", "--kernel", Kernel([0xB0, 0xFE, 0xE6, 0x64, 0xEB, 0xFE])).Status);
        Cli.AssertFails(Halted, "halted with interrupts disabled", Cli.Run("boot", "--kernel", Kernel([0xFA, 0xF4])));
    }

    [Fact]
    public void CtrlAXEndsTheMachine() =>
        Assert.Equal(0, Cli.RunWith("\u0001x", "boot", "--kernel", Kernel([0xFB, 0xF4, 0xEB, 0xFD])).Status);

    [Theory]
    [InlineData("--kernel or --bios is missing")]
    [InlineData("exclude each other", "--kernel", "x", "--bios", "x")]
    [InlineData("need --kernel", "--bios", "x", "--append", "x")]
    [InlineData("a size is expected", "--kernel", "x", "-m", "many")]
    [InlineData("in whole MiB", "--kernel", "x", "-m", "100K")]
    [InlineData("in whole MiB", "--kernel", "x", "-m", "9000G")]
    [InlineData("are known", "--kernel", "x", "--cpu", "z80")]
    [InlineData("expected", "--kernel", "x", "--engine", "fast")]
    [InlineData("tcp:PORT is expected", "--kernel", "x", "--serial", "tcp:x")]
    [InlineData("only one port", "--kernel", "x", "--serial", "stdio", "--serial", "stdio")]
    [InlineData("PORT=FILE is expected", "--kernel", "x", "--debugcon", "0xe9")]
    [InlineData("isa-debug-exit and post-code are known", "--kernel", "x", "--device", "vga")]
    [InlineData("NAME=NUMBER is expected", "--kernel", "x", "--device", "post-code,iobase")]
    [InlineData("has no property", "--kernel", "x", "--device", "post-code,irq=3")]
    [InlineData("iosize is from", "--kernel", "x", "--device", "isa-debug-exit,iosize=9")]
    [InlineData("or a date", "--kernel", "x", "--rtc", "yesterday")]
    [InlineData("unknown command, option or argument", "--kernel", "x", "--floppy", "y")]
    public void WrongUsageIsOneLine(string message, params string[] arguments) =>
        Cli.AssertFails(Usage, message, Cli.Run(["boot", .. arguments]));

    [Fact]
    public void WhatCannotBeBootedIsOneLine()
    {
        Cli.AssertFails(CannotRun, "no such file", Cli.Run("boot", "--kernel", Path.Join(_folder, "none")));
        var file = Path.Join(_folder, "file");
        File.WriteAllText(file, "no kernel");
        Cli.AssertFails(CannotRun, "not a kernel", Cli.Run("boot", "--kernel", file));
        Cli.AssertFails(CannotRun, "a ROM has a multiple of 4096 bytes", Cli.Run("boot", "--bios", file));
        Cli.AssertFails(CannotRun, "no such file", Cli.Run("boot", "--kernel", Kernel(), "--initrd", Path.Join(_folder, "none")));
    }

    // Prints the message, sends ! to port E9h and 21h to port F4h.
    private string Kernel()
    {
        const uint Load = 0x10_0000, Header = 32, Text = Load + Header + 31;
        return Kernel(
        [
            0x66, 0xBA, 0xF8, 0x03,            // mov dx, 3F8h
            0xBE, .. BitConverter.GetBytes(Text),
            0xAC, 0x84, 0xC0, 0x74, 0x03,      // next: lodsb; test al, al; jz end
            0xEE, 0xEB, 0xF8,                  // out dx, al; jmp next
            0xB0, 0x21, 0xE6, 0xE9,            // end: mov al, 21h; out E9h, al
            0xE6, 0xF4,                        // out F4h, al
            0xF4, 0xEB, 0xFD, 0x90, 0x90, 0x90, 0x90, 0x90,
            .. Encoding.ASCII.GetBytes(Message + "\0"),
        ]);
    }

    // Sends what comes over the serial line back, and ends behind a q.
    private string Echo() => Kernel(
    [
        0x66, 0xBA, 0xFD, 0x03,            // next: mov dx, 3FDh
        0xEC, 0xA8, 0x01, 0x74, 0xF7,      // in al, dx; test al, 1; jz next
        0x66, 0xBA, 0xF8, 0x03,            // mov dx, 3F8h
        0xEC, 0xEE, 0x3C, 0x71, 0x75, 0xED, // in al, dx; out dx, al; cmp al, 'q'; jne next
        0xB0, 0x21, 0xE6, 0xF4,            // mov al, 21h; out F4h, al
        0xF4, 0xEB, 0xFD,
    ]);

    private string Kernel(byte[] code)
    {
        const uint Load = 0x10_0000, Header = 32, Magic = 0x1BADB002, Flags = 1 << 16;
        uint[] header = [Magic, Flags, unchecked(0u - Magic - Flags), Load, Load, 0, 0, Load + Header];
        var path = Path.Join(_folder, Guid.NewGuid().ToString("n"));
        File.WriteAllBytes(path, [.. header.SelectMany(BitConverter.GetBytes), .. code]);
        return path;
    }
}
