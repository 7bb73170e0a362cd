using System.Diagnostics;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.Linux.Tests.Loading;

namespace DynaTrans.Linux.Tests.Memory;

/// <summary>
/// Code that is written by another way than it is executed (Programs/code-aliases.c): a file that is mapped twice, system calls that write to
/// it, other processes. Whatever executes it, what is called is what was written last, as natively.
/// </summary>
public sealed class CodeAliasTests : IDisposable
{
    private static readonly string s_folder = Directory.CreateTempSubdirectory("aliases").FullName;
    private static readonly Lazy<string?> s_program64 = new(() => Compile("-m64")), s_program32 = new(() => Compile("-m32"));

    private readonly string _output = Path.GetTempFileName();

    /// <summary>Executors.</summary>
    public enum Engine
    {
        /// <summary>Interpreter only.</summary>
        Interpreter,

        /// <summary>Everything is translated before it runs.</summary>
        Jit,

        /// <summary>What has run a few times is translated at once, with its neighbours.</summary>
        Regions,

        /// <summary>What is hot is translated while the interpreter goes on.</summary>
        Auto,
    }

    public static TheoryData<Engine, bool, int, int> Runs
    {
        get
        {
            // Many functions that are called once after each change, and few that are called often.
            var data = new TheoryData<Engine, bool, int, int>();
            foreach (var is32 in new[] { false, true })
            {
                data.Add(Engine.Interpreter, is32, 3000, 1);
                data.Add(Engine.Interpreter, is32, 20, 50);
                data.Add(Engine.Jit, is32, 10, 2);
                data.Add(Engine.Regions, is32, 20, 20);
                data.Add(Engine.Auto, is32, 3000, 1);
                data.Add(Engine.Auto, is32, 20, 1500);
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Runs))]
    public void WhatWasWrittenLastIsExecuted(Engine engine, bool is32, int functions, int calls)
    {
        var program = (is32 ? s_program32 : s_program64).Value;
        Skip.If(program == null, is32 ? "needs gcc with -m32" : "needs gcc");
        string[] arguments = [functions.ToString(), calls.ToString()];
        var native = Path.Combine(s_folder, $"{engine}-{is32}-{functions}-{calls}");
        using (var process = Process.Start(program!, [native, .. arguments])!)
            process.WaitForExit();
        TranslatorOptions? options = engine switch
        {
            Engine.Jit => new TranslatorOptions(Threshold: 0, Background: false),
            Engine.Regions => new TranslatorOptions(Threshold: 4, Background: false),
            Engine.Auto => new TranslatorOptions(),
            _ => null,
        };
        var (status, messages) = TestPrograms.RunFile(program!, options, null, [_output, .. arguments]);
        Assert.Equal(string.Empty, messages);
        Assert.Equal(File.ReadAllLines(native), File.ReadAllLines(_output));
        Assert.Equal(0, status);
    }

    public void Dispose() => File.Delete(_output);

    private static string? Compile(string architecture)
    {
        foreach (var file in new[] { "memory.h", "code-aliases.c" })
        {
            using var from = typeof(CodeAliasTests).Assembly.GetManifestResourceStream(file)!;
            using var to = File.Create(Path.Combine(s_folder, file));
            from.CopyTo(to);
        }

        var program = Path.Combine(s_folder, "code-aliases" + architecture);
        try
        {
            string[] options = ["-O1", "-w", "-static", architecture, Path.Combine(s_folder, "code-aliases.c"), "-o", program, "-lpthread"];
            using var gcc = Process.Start("gcc", options);
            gcc.WaitForExit();
            return gcc.ExitCode == 0 ? program : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
