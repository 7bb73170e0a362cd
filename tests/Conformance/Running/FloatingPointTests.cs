using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text;
using Xunit;

namespace DynaTrans.Conformance.Running;

/// <summary>What a compiler between the guest and the host could spoil in floating point, in the shipped command.</summary>
public class FloatingPointTests
{
    private const string Engines = "interp jit regions";

    public static TheoryData<string> All => new(Engines.Split(' '));

    // What is measured and shipped is not what a test process would run.
    [SkippableFact]
    public void TheCommandIsCompiledAheadOfTime()
    {
        Skip.IfNot(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "only there it is");
        foreach (var name in (string[])["DynaTrans.Runtime.dll", "DynaTrans.Frontend.dll", "DynaTrans.IlBackend.dll", "dynatrans.dll"])
        {
            using var file = File.OpenRead(Path.Combine(Path.GetDirectoryName(ExecProcess.Built)!, name));
            using var image = new PEReader(file);
            Assert.True(image.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0, name);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void OfTwoNansTheFirstWins(string engine)
    {
        using var process = new ExecProcess(engine);
        foreach (var opcode in (byte[])[0x58, 0x59, 0x5C, 0x5E])
            foreach (var isDouble in (bool[])[false, true])
            {
                var (a, b) = isDouble ? ("7ffc0000000000ab7ffc0000000000cd", "7ff40000000000017ff4000000000002") : ("7fd41cb87fd41cb97fd41cba7fd41cbb", "7fa000017fa000027fa000037fa00004");
                for (var i = 0; i < 8; i++)
                {
                    // OP xmm0, xmm1, and the same with the operand in memory.
                    var operand = i % 2 == 0 ? "c1" : "042500200000";
                    using var result = process.RunLine(Case($"{(isDouble ? "66" : "")}0f{opcode:x2}{operand}f4", $"\"xmm0\":\"{a}\",\"xmm1\":\"{b}\"", Reversed(b)));
                    Assert.Equal(a, result.RootElement.GetProperty("registers").GetProperty("xmm0").GetString());
                }
            }
    }

    // Nothing of ours shows in MXCSR, at the first use of anything; with exceptions unmasked it would raise one.
    [Theory]
    [MemberData(nameof(All))]
    public void IntegerAndX87InstructionsLeaveMxcsrAlone(string engine)
    {
        // rdtsc; cpuid; fldz; fld1; faddp; fmul st, st(0); fsqrt; fld tword [2000h]; fmulp; fbstp [2000h]; rcl dh, 3; paddb mm0, mm1; fxsave [2000h]
        const string Code = "0f31 0fa2 d9ee d9e8 dec1 d8c8 d9fa db2c2500200000 dec9 df342500200000 c0d603 0ffcc1 0fae042500200000";
        foreach (var mxcsr in (int[])[0x1F80, 0])
        {
            using var process = new ExecProcess(engine);
            using var result = process.RunLine(Case($"{Code.Replace(" ", "", StringComparison.Ordinal)}f4", $"\"mxcsr\":{mxcsr}", ""));
            Assert.Equal(13, result.RootElement.GetProperty("exception").GetProperty("vector").GetInt32());
            Assert.Equal(mxcsr, result.RootElement.GetProperty("registers").GetProperty("mxcsr").GetInt32());
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void FlagsOfResultsThatALoopOverwritesStay(string engine)
    {
        // mov ebp, 3; again: cvtpd2dq xmm7, xmm2; psrlq xmm2, 8; dec ebp; jnz again. Only the first turn's operand, infinity, is invalid.
        const string Code = "bd03000000f20fe6fa660f73d208ffcd75f3f4";
        using var process = new ExecProcess(engine);
        for (var i = 0; i < 12; i++)
        {
            using var result = process.RunLine(Case(Code, "\"xmm2\":\"00000000000000007ff0000000000000\"", ""));
            Assert.Equal(0x1F80 | 0x21, result.RootElement.GetProperty("registers").GetProperty("mxcsr").GetInt32() | 0x20);
        }
    }

    // 64-bit code at 1000h, data at 2000h.
    private static byte[] Case(string code, string registers, string data) => Encoding.ASCII.GetBytes(
        $$"""{"id":0,"mode":"long64","memory":[{"at":4096,"hex":"{{code}}"},{"at":8192,"size":4096},{"at":8192,"hex":"{{data}}"}],"""
        + $$"""
        "registers":{"rip":4096,{{registers}}} }
        """.Trim() + "\n");

    private static string Reversed(string digits) => Convert.ToHexString([.. Convert.FromHexString(digits).Reverse()]);
}
