using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;

namespace DynaTrans.Conformance.Running;

/// <summary>Runs programs of <see cref="ProgramGenerator"/> from several starts each, on the host CPU and on an executor, and compares all state.</summary>
internal sealed class ProgramRun(NativeCpu cpu, IBatchRunner executor, Rng rng, int starts)
{
    private const uint Masks = 0x1F80;

    private readonly CaseData[] _starts = Batch(starts), _expected = Batch(starts), _actual = Batch(starts);
    private readonly OperandGenerator _operands = new(rng);
    private readonly NativeRunner _native = new(cpu);

    /// <summary>Runs that ended with an exception on the host.</summary>
    internal int Faults { get; private set; }

    /// <summary>The first difference of a program, with its text; null when there is none.</summary>
    /// <param name="program">The program.</param>
    /// <param name="undefinedCodes">x87 condition codes that it leaves undefined.</param>
    /// <param name="family">The family of its instructions.</param>
    internal string? FirstDifference(Sequence program, ushort undefinedCodes, string family)
    {
        var unmasked = rng.OneIn(8) ? (uint)rng.Next() & Masks : 0;
        _operands.FillBackground(_starts[0]);
        lock (cpu.Gate)
        {
            _native.Load(program.Encoding);
            for (var k = 0; k < starts; k++)
            {
                if (k > 0) _starts[k].CopyMemory(_starts[k - 1]);
                _operands.Generate(program.Encoding, _starts[k]);
                Arrange(_starts[k], unmasked, family);
                _native.Run(_starts[k], _expected[k]);
                if (_expected[k].State.Vector >= 0) Faults++;
            }
        }
        executor.Run(program.Encoding, _starts, _actual, starts);
        for (var k = 0; k < starts; k++)
        {
            Forgive(program, undefinedCodes, _expected[k], _actual[k]);
            if (Comparer.FirstDifference(program.Encoding, _starts[k], _expected[k], _actual[k]) is { } difference)
                return $"start {k}: {difference}, mxcsr {_starts[k].State.Mxcsr:x}\n    {string.Join("\n    ", program.Text)}";
        }
        return null;
    }

    private static CaseData[] Batch(int count) => [.. Enumerable.Range(0, count).Select(_ => new CaseData())];

    // All starts of a program have the same exceptions unmasked, mostly none: blocks are translated for that.
    private void Arrange(CaseData start, uint unmasked, string family)
    {
        ref var s = ref start.State;
        s.Mxcsr = (s.Mxcsr | Masks) & ~unmasked;
        s.Fcw |= 0x3F;
        s.Fsw &= 0x7F7F;
        s.Rflags &= ~0x400UL;
        if (rng.OneIn(2)) s.Mxcsr &= ~0x3Fu;
        if (family == "nan") SequenceTests.FillWithNans(start, rng);
        for (var i = 0; i < ProgramGenerator.Values; i++)
        {
            start.Put(ProgramGenerator.MxcsrValues + (uint)(4 * i), 4, (ulong)(Masks & ~unmasked | (uint)rng.Below(4) << 13 | (rng.OneIn(2) ? rng.Next() & 0x807F : 0)));
            start.Put(ProgramGenerator.ControlWords + (uint)(2 * i), 2, (ulong)(0x7F | (rng.OneIn(2) ? 3 : rng.Below(4)) << 8 | rng.Below(4) << 10));
        }
        start.Put(ProgramGenerator.OuterCount, 4, (ulong)(1 + rng.Below(3)));
    }

    private static void Forgive(Sequence program, ushort codes, CaseData expected, CaseData actual)
    {
        ref var e = ref expected.State;
        ref var a = ref actual.State;
        a.Rflags = (a.Rflags & ~program.UndefinedFlags) | (e.Rflags & program.UndefinedFlags);
        a.Fsw = (ushort)((a.Fsw & ~codes) | (e.Fsw & codes));
    }
}
