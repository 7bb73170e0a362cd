using System.Numerics;
using System.Reflection.Emit;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <content>
/// Ways out of the method. Each first stores the registers that may have been written up to there, and only those, so that an entry has to
/// load no more than what the code uses; ways out with the same set share the code, and one with a larger set goes on in that of a
/// smaller one.
/// </content>
public sealed unsafe partial class RegionEmitter
{
    // By kind (upper half) and written registers.
    private readonly Dictionary<ulong, int> _waysOut = [];
    private uint _written;

    private enum WayOut
    {
        /// <summary>Return to the dispatcher; RIP is stored.</summary>
        Return,

        /// <summary>The access at the site in _site needs the slow path.</summary>
        SlowAccess,

        /// <summary>An exception is pending at the site in _site.</summary>
        Fault,

        /// <summary>Not out, but to the entry switch, with the number in _entry and the address in _slow.</summary>
        Reenter,

        /// <summary>Jump through the cell in _cell.</summary>
        Chain,
    }

    /// <summary>The label of a way out for the registers written up to this point.</summary>
    private int LabelOf(WayOut kind)
    {
        var key = ((ulong)kind << 32) | _written;
        if (!_waysOut.TryGetValue(key, out var label))
            _waysOut[key] = label = _il.DefineLabel();
        return label;
    }

    private void GoOut(WayOut kind) => _il.EmitBranch(OpCodes.Br, LabelOf(kind));

    private void EmitWaysOut()
    {
        for (var kind = WayOut.Return; kind <= WayOut.Chain; kind++)
        {
            var sets = new List<uint>();
            foreach (var key in _waysOut.Keys)
                if (key >> 32 == (ulong)kind)
                    sets.Add((uint)key);
            if (sets.Count == 0)
                continue;
            sets.Sort((a, b) => BitOperations.PopCount(b).CompareTo(BitOperations.PopCount(a)) is var order and not 0 ? order : a.CompareTo(b));
            if (sets[^1] != 0)
                sets.Add(0);
            for (var i = 0; i < sets.Count; i++)
            {
                _written = sets[i];
                _il.MarkLabel(LabelOf(kind));
                if (sets[i] == 0)
                    break;
                var smaller = sets.FindIndex(i + 1, set => (set & ~sets[i]) == 0);
                StoreWritten(sets[i] & ~sets[smaller]);
                if (smaller == i + 1)
                    continue;
                _written = sets[smaller];
                GoOut(kind);
            }

            StoreCounts();
            EmitEndOf(kind);
        }
    }

    private void EmitEndOf(WayOut kind)
    {
        switch (kind)
        {
            case WayOut.SlowAccess:
                StoreSite(ExitCause.SlowAccess);
                break;
            case WayOut.Fault:
                StoreSite(ExitCause.Exception);
                break;
            case WayOut.Reenter:
                ClearCount();
                _il.EmitBranch(OpCodes.Br, _entrySwitch);
                return;
            case WayOut.Chain:
                JumpThroughCell();
                return;
        }

        _il.Emit(OpCodes.Ret);
    }

    private void StoreSite(ExitCause cause)
    {
        FieldAddress(FieldOffset(nameof(ExecutionState.FaultSite)));
        LdLoc(_site);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Stind_I);
        SetCause(cause);
    }

    private void JumpThroughCell()
    {
        _il.Emit(OpCodes.Ldarg_0);
        LdLoc(_cell);
        LdLoc(_cell);
        _il.Emit(OpCodes.Ldind_I8);
        StLoc(_slow);
        LdLoc(_slow);
        Ldc4(EntryCell.AddressBits);
        _il.Emit(OpCodes.Shr_Un);
        _il.Emit(OpCodes.Conv_I);
        LdLoc(_slow);
        Ldc((1L << EntryCell.AddressBits) - 1);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Conv_I);
        _il.EmitTailJump();
    }

    /// <summary>Stores registers of a set (<see cref="WrittenRegisters"/>).</summary>
    private void StoreWritten(uint set)
    {
        for (ushort i = 0; i < 16; i++)
        {
            if ((set >> i & 1) == 0)
                continue;
            FieldAddress(i * 8);
            Push(i, 8);
            _il.Emit(OpCodes.Stind_I8);
        }

        for (ushort i = 0; i < 16; i++)
        {
            if ((set >> (16 + i) & 1) == 0)
                continue;
            VectorAddress(i);
            LdLoc(_vectorLocal[i]);
            _il.EmitType(OpCodes.Stobj, VectorType);
        }
    }

    private void ClearCount()
    {
        if (!_options.CountInstructions)
            return;
        Ldc(0L);
        StLoc(_count);
    }

    private void StoreCounts()
    {
        if (!_options.CountInstructions)
            return;
        FieldAddress(FieldOffset(nameof(ExecutionState.InstructionCount)));
        LoadField(nameof(ExecutionState.InstructionCount), OpCodes.Ldind_I8);
        LdLoc(_count);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stind_I8);
        if (_options.HeatCounter == 0)
            return;
        Ldc(_options.HeatCounter);
        _il.Emit(OpCodes.Conv_I);
        Ldc(_options.HeatCounter);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Ldind_I8);
        LdLoc(_count);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stind_I8);
    }
}
