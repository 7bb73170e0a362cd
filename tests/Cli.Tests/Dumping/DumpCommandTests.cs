using System.Reflection;
using System.Runtime.CompilerServices;
using DynaTrans.Cli.Commands;
using DynaTrans.Cli.Guests;

namespace DynaTrans.Cli.Tests.Dumping;

/// <summary><c>dynatrans dump</c> on the guest that comes with the project.</summary>
[Collection(nameof(ConsoleCollection))]
public sealed class DumpCommandTests : IDisposable
{
    private readonly DemoGuest _demo = new("demo-i386");

    [Fact]
    public void FunctionAsText()
    {
        var (status, text, error) = Run("dump", _demo.Path, "--symbol", "fib");
        Assert.Equal((0, ""), (status, error));
        Assert.Contains("(fib): ", text, StringComparison.Ordinal);
        Assert.Contains("cmp eax, 1", text, StringComparison.Ordinal);
        Assert.Contains("_ = sub.4 rax, 1 !f", text, StringComparison.Ordinal);
        Assert.Contains("slow paths and exits", text, StringComparison.Ordinal);
    }

    [Fact]
    public void FunctionAsCSharp()
    {
        var (status, text, error) = Run("dump", _demo.Path, "--symbol", "fib", "--csharp");
        Assert.Equal((0, ""), (status, error));
        Assert.Contains("public static class Translations", text, StringComparison.Ordinal);
        Assert.Contains("int rax = *(int*)state;", text, StringComparison.Ordinal);
        Assert.Contains("state->Execution.ExitRequest", text, StringComparison.Ordinal);
        Assert.DoesNotContain("tail", text, StringComparison.Ordinal);
    }

    [Fact]
    public void PageAndAssemblyAreWritten()
    {
        var directory = Directory.CreateTempSubdirectory("dynatrans");
        try
        {
            var page = Path.Join(directory.FullName, "page.html");
            var assembly = Path.Join(directory.FullName, "guest.dll");
            Assert.Equal((0, "", ""), Run("dump", _demo.Path, "--symbol", "guest", "--html", page, "--assembly", assembly));
            Assert.StartsWith("<!doctype html>", File.ReadAllText(page), StringComparison.Ordinal);

            // A region of many blocks and entries: the runtime accepts its IL.
            var method = Assembly.LoadFrom(assembly).GetType("Guest.Translations", throwOnError: true)!.GetMethods()[0];
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(125, "--symbol", "no_such_function")]
    [InlineData(125, "--at", "not a number")]
    [InlineData(125, "--at", "10")]
    [InlineData(125, "--hot", "0")]
    [InlineData(125, "--hot", "1", "--at", "10")]
    public void WrongChoiceIsOneLine(int status, params string[] choice)
    {
        var (actual, text, error) = Run(["dump", _demo.Path, .. choice]);
        Assert.Equal((status, ""), (actual, text));
        Assert.StartsWith("dynatrans: ", error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(c => c == '\n'));
    }

    [Fact]
    public void FileThatIsNoProgram()
    {
        Assert.Equal((126, "", "dynatrans: /etc/passwd: not an ELF file\n"), Run("dump", "/etc/passwd"));
        Assert.Equal((127, "", "dynatrans: /no/such/file: not found\n"), Run("dump", "/no/such/file"));
    }

    public void Dispose() => _demo.Dispose();

    private static (int Status, string Text, string Error) Run(params string[] args)
    {
        var (output, error) = (Console.Out, Console.Error);
        var (text, errors) = (new StringWriter(), new StringWriter());
        try
        {
            Console.SetOut(text);
            Console.SetError(errors);
            return (CommandLine.Run(args), text.ToString(), errors.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}

/// <summary>Tests that look at what the command line prints in this process: alone, the console is one for all.</summary>
[CollectionDefinition(nameof(ConsoleCollection), DisableParallelization = true)]
public sealed class ConsoleCollection;
