using DynaTrans.Frontend.Ir;
using Iced.Intel;

namespace DynaTrans.Frontend.Lifting;

/// <summary>The registers of a system that say where its descriptor tables are: lgdt lidt lldt ltr, sgdt sidt sldt str (SDM Vol. 2).</summary>
internal static unsafe class DescriptorTables
{
    public static void Register(delegate*<LiftContext, void>[] table)
    {
        table[(int)Mnemonic.Lgdt] = &Load;
        table[(int)Mnemonic.Lidt] = &Load;
        table[(int)Mnemonic.Sgdt] = &Store;
        table[(int)Mnemonic.Sidt] = &Store;
        table[(int)Mnemonic.Lldt] = &LoadSelector;
        table[(int)Mnemonic.Ltr] = &LoadSelector;
        table[(int)Mnemonic.Sldt] = &StoreSelector;
        table[(int)Mnemonic.Str] = &StoreSelector;
    }

    /// <summary>What CR4.UMIP keeps from user code.</summary>
    public static void CheckUser(LiftContext c)
    {
        if (!c.IsPrivileged)
            c.CallVoid(HelperId.CheckUserInstruction);
    }

    /// <summary>Writes 16 bits to memory, or a register at its width.</summary>
    public static void WriteShort(LiftContext c, ushort value)
    {
        if (c.IsMemory(0))
            c.Store(2, c.MemoryOperand(2), value);
        else
            c.WriteRegister(c.Insn.Op0Register, value);
    }

    // With an operand size of 16 bits the base has 24.
    private static void Load(LiftContext c)
    {
        if (!c.RequirePrivilege())
            return;
        var limit = c.Load(2, c.MemoryOperand(2));
        var size = c.Is64 ? 8 : 4;
        var @base = c.Load(size, c.MemoryOperand(size, 2));
        if (c.Insn.Code is Code.Lgdt_m1632_16 or Code.Lidt_m1632_16)
            @base = c.Emit(IrOpcode.And, 4, @base, Val.Const(0xFFFFFF));
        c.CallVoid(HelperId.LoadTableRegister, c.Copy(4, Val.Const(c.Insn.Mnemonic == Mnemonic.Lidt ? 1 : 0)), @base, limit);
    }

    private static void Store(LiftContext c)
    {
        CheckUser(c);
        var size = c.Is64 ? 10 : 6;
        var address = c.MemoryOperand(size);
        c.CallVoid(
            HelperId.StoreTableRegister, c.LinearAddress(address), Val.Const(c.Insn.Mnemonic == Mnemonic.Sidt ? 1 : 0),
            c.Copy(4, Val.Const(size | ((int)address.Intent << 8))));
    }

    private static void LoadSelector(LiftContext c)
    {
        if (c.IsReal)
        {
            c.Raise(ExceptionVector.InvalidOpcode);
            return;
        }

        if (!c.RequirePrivilege())
            return;
        var selector = c.IsMemory(0) ? c.Load(2, c.MemoryOperand(2)) : c.Copy(2, c.ReadRegister(c.Insn.Op0Register));
        c.CallVoid(c.Insn.Mnemonic == Mnemonic.Lldt ? HelperId.LoadLocalTable : HelperId.LoadTask, selector);
    }

    private static void StoreSelector(LiftContext c)
    {
        if (c.IsReal)
        {
            c.Raise(ExceptionVector.InvalidOpcode);
            return;
        }

        CheckUser(c);
        WriteShort(c, c.Call(c.Insn.Mnemonic == Mnemonic.Sldt ? HelperId.LocalTableSelector : HelperId.TaskSelector));
    }
}
