using DynaTrans.Conformance.Cases;
using DynaTrans.Conformance.Native;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Execution;
using DynaTrans.Runtime.Memory;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Conformance.Running;

/// <summary>Runs cases in one of the executors, in the mode of a Linux program, with the test memory at the host's addresses.</summary>
public sealed unsafe class EmulatorRunner : ICaseRunner, IDisposable
{
    private readonly Machine _machine32, _machine64;
    private Machine _machine;
    private Encoding? _encoding;

    /// <summary>Makes a runner.</summary>
    /// <param name="makeTranslator">Makes a translator that compiles at once, or null to interpret.</param>
    public EmulatorRunner(Func<ITranslator>? makeTranslator)
    {
        _machine32 = new Machine(32, makeTranslator?.Invoke());
        _machine64 = new Machine(40, makeTranslator?.Invoke());
        _machine = _machine64;
    }

    /// <inheritdoc/>
    public void Load(Encoding encoding)
    {
        _encoding = encoding;
        _machine = encoding.Is32 ? _machine32 : _machine64;
        _machine.WriteCode(encoding);
    }

    /// <inheritdoc/>
    public void Run(CaseData start, CaseData end)
    {
        var encoding = _encoding!;
        var machine = _machine;
        machine.Put(start);
        SetState(machine.Vcpu.State, ref start.State, encoding.Is32);
        var cause = machine.Vcpu.Run();
        GetState(machine.Vcpu.State, ref end.State, cause);
        machine.Get(end);
        var next = encoding.Address + (ulong)encoding.Bytes.Length;
        if (end.State.Vector != 3 || end.State.Rip != next + 1) return;
        end.State.Vector = -1;
        end.State.Rip = next;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _machine32.Dispose();
        _machine64.Dispose();
    }

    private static void SetState(CpuState* s, ref MachineState from, bool is32)
    {
        for (var i = 0; i < 16; i++) s->Slots[i] = from.Gpr[i];
        s->Slots[Slot.Rip] = from.Rip;
        CpuAccess.SetEflags(s, (uint)from.Rflags);
        s->Slots[Slot.FsBase] = from.FsBase;
        s->Slots[Slot.GsBase] = from.GsBase;
        s->Cs.Selector = (ushort)(is32 ? NativeCpu.Code32Selector : NativeCpu.Code64Selector);
        s->Ss.Selector = s->Ds.Selector = s->Es.Selector = (ushort)NativeCpu.DataSelector;
        s->Fs.Selector = (ushort)(is32 && from.FsBase != 0 ? NativeCpu.FsSelector : 0);
        s->Gs.Selector = (ushort)(is32 && from.GsBase != 0 ? NativeCpu.GsSelector : 0);
        for (var i = 0; i < 16; i++)
        {
            var xmm = (ulong*)CpuAccess.Vector(s, VSlot.Xmm0 + i);
            (xmm[0], xmm[1]) = (from.Xmm(i, 0), from.Xmm(i, 1));
        }
        var top = from.Fsw >> 11 & 7;
        for (var i = 0; i < 8; i++)
        {
            var register = (ulong*)CpuAccess.Vector(s, VSlot.Mm0 + (top + i & 7));
            (register[0], register[1]) = (from.StSignificand(i), from.StExponent(i));
        }
        s->Fcw = from.Fcw;
        s->Fsw = from.Fsw;
        s->FpuValid = from.Ftw;
        s->Mxcsr = from.Mxcsr;
        var mode = is32 ? GuestMode.Linux32 : GuestMode.Linux64;
        s->Selectors = is32 ? SelectorRules.Linux32 : SelectorRules.Linux64;
        s->Mode = (ushort)((from.Mxcsr & 0x1F80) != 0x1F80 ? mode | GuestMode.SseUnmasked : mode);
    }

    private static void GetState(CpuState* s, ref MachineState to, ExitCause cause)
    {
        to = default;
        for (var i = 0; i < 16; i++) to.Gpr[i] = s->Slots[i];
        to.Rip = s->Slots[Slot.Rip];
        to.Rflags = CpuAccess.GetEflags(s);
        to.FsBase = s->Slots[Slot.FsBase];
        to.GsBase = s->Slots[Slot.GsBase];
        for (var i = 0; i < 16; i++)
        {
            var xmm = (ulong*)CpuAccess.Vector(s, VSlot.Xmm0 + i);
            (to.Xmm(i, 0), to.Xmm(i, 1)) = (xmm[0], xmm[1]);
        }
        var top = s->Fsw >> 11 & 7;
        for (var i = 0; i < 8; i++)
        {
            var register = (ulong*)CpuAccess.Vector(s, VSlot.Mm0 + (top + i & 7));
            (to.StSignificand(i), to.StExponent(i)) = (register[0], (ushort)register[1]);
        }
        to.Fcw = s->Fcw;
        to.Fsw = s->Fsw;
        to.Ftw = s->FpuValid;
        to.Mxcsr = s->Mxcsr;
        (to.Vector, to.ErrorCode, to.FaultAddress) = cause switch
        {
            ExitCause.Exception => (s->ExceptionVector, s->ExceptionError, s->FaultAddress),
            ExitCause.SoftwareInterrupt => ((long)s->ExitDetail, 0UL, 0UL),
            _ => (1000 + (long)cause, 0UL, 0UL),
        };
    }

    /// <summary>An address space with the test memory, and a vCPU in it.</summary>
    private sealed class Machine : IDisposable
    {
        private readonly AddressSpace _space;
        private readonly BlockCache _cache;

        internal Machine(int addressBits, ITranslator? translator)
        {
            _space = new AddressSpace(addressBits);
            const PagePermission readWrite = PagePermission.Read | PagePermission.Write;
            _space.Map(TestMemory.Data, TestMemory.DataSize, readWrite);
            _space.Map(TestMemory.ReadOnly, TestMemory.PageSize, readWrite);
            _space.Map(TestMemory.Stack, TestMemory.StackSize, readWrite);
            _space.Map(TestMemory.Code, TestMemory.CodeSize, readWrite | PagePermission.Execute);
            _space.Write(TestMemory.ReadOnly, NativeCpu.Memory(TestMemory.ReadOnly, TestMemory.PageSize));
            _space.Protect(TestMemory.ReadOnly, TestMemory.PageSize, PagePermission.Read);
            var code = new byte[TestMemory.CodeSize];
            code.AsSpan().Fill(0xCC);
            _space.Write(TestMemory.Code, code);
            _cache = new BlockCache(_space, translator);
            Vcpu = new Vcpu(_cache);
        }

        internal Vcpu Vcpu { get; }

        internal void WriteCode(Encoding encoding)
        {
            // All of it: a case may have stored into the code pages.
            Span<byte> code = stackalloc byte[TestMemory.CodeSize];
            code.Fill(0xCC);
            encoding.Bytes.CopyTo(code[(int)(encoding.Address - TestMemory.Code)..]);
            _space.Write(TestMemory.Code, code);
        }

        internal void Put(CaseData data)
        {
            data.Data.CopyTo(new Span<byte>(_space.Base + TestMemory.Data, TestMemory.DataSize));
            data.Stack.CopyTo(new Span<byte>(_space.Base + TestMemory.Stack, TestMemory.StackSize));
        }

        internal void Get(CaseData data)
        {
            new Span<byte>(_space.Base + TestMemory.Data, TestMemory.DataSize).CopyTo(data.Data);
            new Span<byte>(_space.Base + TestMemory.Stack, TestMemory.StackSize).CopyTo(data.Stack);
        }

        public void Dispose()
        {
            Vcpu.Dispose();
            _cache.Dispose();
            _space.Dispose();
            ExecutorSet.Check(_cache.Translator);
        }
    }
}
