using System.Runtime.InteropServices;
using System.Text;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using Xunit;
using Xunit.Abstractions;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Tests.X87;

/// <summary>
/// Every x87 instruction against the host's x87: whole state before and after, over all rounding and precision controls, exceptions
/// masked and not, full and empty registers. The environment variable DYNATRANS_X87_CASES sets the cases per instruction.
/// </summary>
public sealed unsafe class X87HostComparisonTests(ITestOutputHelper output)
{
    private const int DefaultCases = 2000;
    private const ulong StatusFlags = 0x8D5;

    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (X87Instruction instruction in X87Instruction.All)
                names.Add(instruction.Name);
            return names;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void EqualsHost(string name)
    {
        Skip.IfNot(NativeCode.IsSupported, "the comparison needs an x86-64 Linux host");
        int cases = int.TryParse(Environment.GetEnvironmentVariable("DYNATRANS_X87_CASES"), out int asked) ? asked : DefaultCases;
        X87Instruction instruction = X87Instruction.Find(name);
        var host = new HostX87(instruction.Bytes);
        int seed = 20260;
        foreach (char c in name)
            seed = seed * 31 + c;
        output.WriteLine($"{name}: seed {seed}, {cases} cases");
        var operands = new X87Operands(seed);
        var context = (HostX87Context*)NativeMemory.AlignedAlloc((nuint)sizeof(HostX87Context), 64);
        var failures = new StringBuilder();
        int failed = 0;
        try
        {
            for (int i = 0; i < cases; i++)
            {
                string? difference = Compare(instruction, host, operands, context);
                if (difference is not null && failed++ < 5)
                    failures.AppendLine(difference);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(context);
        }
        Assert.True(failed == 0, $"{name}: {failed} of {cases} cases differ\n{failures}");
    }

    private static string? Compare(X87Instruction instruction, HostX87 host, X87Operands operands, HostX87Context* context)
    {
        X87State state = default;
        RandomState(&state, operands);
        new Span<byte>(context, sizeof(HostX87Context)).Clear();
        X87Environment.WriteFxsave(&state, context->Before, true);
        *(uint*)(context->Before + 24) = 0x1F80;
        FillMemory(context->Memory, instruction, operands);
        ulong flags = operands.Bits() & StatusFlags | 0x202;
        context->Flags = flags;

        byte* memory = stackalloc byte[HostX87Context.MemorySize];
        new Span<byte>(context->Memory, HostX87Context.MemorySize).CopyTo(new Span<byte>(memory, HostX87Context.MemorySize));
        X87State before = state;
        host.Run(context);
        instruction.Action(&state, memory, ref flags);

        X87State after = default;
        X87Environment.ReadFxsave(&after, context->After, true);
        after.Fsw = *(ushort*)(context->After + 2);
        bool environment = instruction.Name.Contains("env") || instruction.Name == "fnsave";
        if (environment)
        {
            // The addresses in the image are those of the last instruction, which are not compared.
            HideAddresses(memory, instruction.Name.EndsWith("16"));
            HideAddresses(context->Memory, instruction.Name.EndsWith("16"));
        }
        bool same = after.Fcw == state.Fcw && after.Fsw == state.Fsw && after.Valid == state.Valid
            && SameRegisters(&after, &state)
            && new Span<byte>(memory, HostX87Context.MemorySize).SequenceEqual(
                new Span<byte>(context->Memory, HostX87Context.MemorySize))
            && ((flags ^ context->Flags) & StatusFlags) == 0;
        if (same)
            return null;
        return $"before {Describe(&before)}\n  memory {Convert.ToHexString(new Span<byte>(memory, 28))}\n"
            + $"  ours {Describe(&state)} flags {flags:X}\n"
            + $"  host {Describe(&after)} flags {context->Flags:X}\n  host memory {Convert.ToHexString(new Span<byte>(context->Memory, 28))}";
    }

    private static bool SameRegisters(X87State* a, X87State* b)
    {
        for (uint i = 0; i < 8; i++)
        {
            if (*X87State.St(a, i) != *X87State.St(b, i))
                return false;
        }
        return true;
    }

    private static void HideAddresses(byte* image, bool narrow)
    {
        if (narrow)
            new Span<byte>(image + 6, 8).Clear();
        else
            new Span<byte>(image + 12, 16).Clear();
    }

    private static void RandomState(X87State* state, X87Operands operands)
    {
        uint control = operands.Bits() switch
        {
            var r when (r & 3) == 0 => (uint)operands.Next(0x2000),
            var r => (uint)(r >> 8 & 0xC) << 8 | Exceptions | (uint)operands.Next(4) << 8,
        };
        if (operands.Next(4) == 0)
            control |= PrecisionExtended;
        if ((control & PrecisionMask) == 0x100)
            control |= PrecisionExtended;
        state->Fcw = (ushort)(control & ControlWritable | ControlFixed);
        // Only flags whose exceptions are masked, so that nothing is pending.
        uint status = (uint)operands.Bits() & (ConditionCodes | TopMask | SF);
        if (operands.Next(2) == 0)
            status |= (uint)operands.Bits() & state->Fcw & Exceptions;
        state->Fsw = (ushort)status;
        state->Valid = operands.Next(3) == 0 ? (byte)operands.Bits() : (byte)(0xFF & ~(1u << (int)((status >> 11) + 7 & 7)));
        Float80 last = operands.Extended();
        for (uint i = 0; i < 8; i++)
        {
            *X87State.St(state, i) = last;
            last = operands.Near(last);
        }
        X87State.UpdateSummary(state);
    }

    private static void FillMemory(byte* memory, X87Instruction instruction, X87Operands operands)
    {
        for (int i = 0; i < HostX87Context.MemorySize; i += 8)
            *(ulong*)(memory + i) = operands.Bits();
        switch (instruction.Operand)
        {
            case X87Operand.Single:
                *(uint*)memory = operands.Single();
                break;
            case X87Operand.Double:
                *(ulong*)memory = operands.Double();
                break;
            case X87Operand.Extended:
                Float80 value = operands.Extended();
                *(ulong*)memory = value.Significand;
                *(ushort*)(memory + 8) = value.SignExponent;
                break;
            case X87Operand.Integer16 or X87Operand.Integer32:
                *(int*)memory = operands.Next(3) == 0 ? operands.Next(5) - 2 : (int)operands.Bits() >> operands.Next(32);
                break;
            case X87Operand.Decimal:
                for (int i = 0; i < 9; i++)
                    memory[i] = (byte)(operands.Next(10) << 4 | operands.Next(10));
                break;
        }
    }

    private static string Describe(X87State* s)
    {
        var text = new StringBuilder($"fcw {s->Fcw:X4} fsw {s->Fsw:X4} valid {s->Valid:X2}");
        for (uint i = 0; i < 8; i++)
            text.Append(i is < 3 or 5 or 7 ? $" st{i} {*X87State.St(s, i)}" : "");
        return text.ToString();
    }
}
