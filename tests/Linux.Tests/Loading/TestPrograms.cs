using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.Linux.Tests.Loading;

/// <summary>Writes a program to a file and runs it to its end.</summary>
internal static class TestPrograms
{
    /// <summary>Appends a system call with constant arguments.</summary>
    public static void Call(this Assembler a, bool is32, int number, params ulong[] arguments)
    {
        AssemblerRegister32[] registers32 = [ebx, ecx, edx, esi, edi];
        AssemblerRegister64[] registers64 = [rdi, rsi, rdx, r10, r8];
        for (var i = 0; i < arguments.Length; i++)
        {
            if (is32)
                a.mov(registers32[i], (uint)arguments[i]);
            else
                a.mov(registers64[i], arguments[i]);
        }

        a.mov(eax, number);
        if (is32)
            a.@int(0x80);
        else
            a.syscall();
    }

    /// <summary>Appends exit with a constant.</summary>
    public static void Exit(this Assembler a, bool is32, int status) => a.Call(is32, is32 ? 1 : HostSys.Exit, (ulong)status);

    /// <summary>Runs an image. The messages are what DynaTrans itself reports.</summary>
    public static (int Status, string Messages) Run(byte[] image, params string[] arguments) => Run(image, false, arguments);

    /// <summary>Runs an image by the interpreter, or with everything translated.</summary>
    public static (int Status, string Messages) Run(byte[] image, bool translated, params string[] arguments)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, image);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return RunFile(file, translated, arguments);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Runs a file.</summary>
    public static (int Status, string Messages) RunFile(string file, bool translated = false, params string[] arguments) =>
        RunFile(file, translated ? 0 : null, null, arguments);

    /// <summary>Runs a file.</summary>
    /// <param name="file">The program.</param>
    /// <param name="threshold">Entries after which a block is translated; null: all is interpreted.</param>
    /// <param name="layout">Where its parts go.</param>
    /// <param name="arguments">Its arguments.</param>
    public static (int Status, string Messages) RunFile(string file, int? threshold, AddressLayout? layout, params string[] arguments) =>
        RunFile(file, threshold is { } entries ? new TranslatorOptions(Threshold: entries, Background: false) : null, layout, arguments);

    /// <summary>Runs a file.</summary>
    /// <param name="file">The program.</param>
    /// <param name="options">How its translators work; null: all is interpreted.</param>
    /// <param name="layout">Where its parts go.</param>
    /// <param name="arguments">Its arguments.</param>
    public static (int Status, string Messages) RunFile(
        string file, TranslatorOptions? options, AddressLayout? layout, params string[] arguments)
    {
        var messages = new StringWriter();
        var status = LinuxHost.Run(new LinuxOptions
        {
            Program = file, Arguments = arguments, Environment = ["HOME=/"], Error = messages, ForwardSignals = false,
            Layout = layout,
            TranslatorFactory = options == null ? null : _ => new Translator(options),
        });
        return (status, messages.ToString());
    }
}
