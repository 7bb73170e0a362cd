using System.Reflection;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Helpers.Vector;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>What a helper may touch besides its arguments; the IL back end spills and reloads accordingly.</summary>
[Flags]
public enum HelperEffects : byte
{
    /// <summary>Result depends on the arguments only; cannot raise an exception.</summary>
    Pure = 0,

    /// <summary>Reads general registers, EFLAGS or the flags record in the state.</summary>
    ReadsState = 1,

    /// <summary>Writes general registers, EFLAGS or the flags record in the state.</summary>
    WritesState = 2,

    /// <summary>May raise an exception (sets ExceptionVector). Accessing guest memory implies it. Nothing may have changed when it does.</summary>
    MayFault = 4,

    /// <summary>Reads or writes XMM registers in the state (x87, MXCSR and segment state never live in locals and need no mark).</summary>
    Vectors = 8,

    /// <summary>Needs the exact RIP of its instruction in the state.</summary>
    NeedsRip = 16,

    /// <summary>
    /// Called again from the same state it may do or give something else: it reads a clock, or reaches a device. A block that calls it is not
    /// executed twice (lock-step verification).
    /// </summary>
    NotRepeatable = 32,

    /// <summary>
    /// What is executed next may have to be translated or looked up anew: it may change the mode, the code segment or the translation of
    /// addresses. The block ends with the instruction that calls it (<see cref="IrAssertions"/> hold that).
    /// </summary>
    ChangesContext = 64,

    /// <summary>
    /// Needs the count of instructions in the state (a clock may go by it), or takes back that of its instruction, because it is to be executed again.
    /// </summary>
    Recounts = 128,
}

/// <summary>Every helper by its <see cref="HelperId"/>: the function pointer for the interpreter and the method for the IL back end.</summary>
public static unsafe class HelperTable
{
    private static readonly Type[] Signature = [typeof(CpuState*), typeof(ulong), typeof(ulong), typeof(ulong)];

    private static readonly HelperInfo[] Infos = NotImplementedInfos();

    private static readonly nint* Pointers = AllocatePointers();

    private static readonly bool[] IsReady = new bool[(int)HelperId.Count];

    /// <summary>The function pointer of a helper, for the interpreter.</summary>
    public static delegate*<CpuState*, ulong, ulong, ulong, ulong> Pointer(int id) =>
        (delegate*<CpuState*, ulong, ulong, ulong, ulong>)Pointers[id];

    /// <summary>What the helper may touch.</summary>
    public static HelperEffects Effects(HelperId id) => Infos[(int)id].Effects;

    /// <summary>The method of a helper: static ulong M(CpuState*, ulong a, ulong b, ulong c).</summary>
    public static MethodInfo Method(HelperId id)
    {
        var info = Infos[(int)id];
        return info.Owner.GetMethod(info.Name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic, Signature)
            ?? throw new InvalidOperationException($"helper {id} has no method {info.Owner}.{info.Name}");
    }

    /// <summary>Prepares a helper's method (<see cref="Preparation"/>): call it when a block that calls the helper is lifted.</summary>
    public static void MakeReady(HelperId id)
    {
        if (Volatile.Read(ref IsReady[(int)id]))
            return;
        Preparation.Prepare(Method(id));
        Volatile.Write(ref IsReady[(int)id], true);
    }

    /// <summary>Registers one helper; each family's file calls this from its RegisterHelpers method.</summary>
    internal static void Add(
        HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, Type owner, string name, HelperEffects effects)
    {
        Pointers[(int)id] = (nint)pointer;
        Infos[(int)id] = new HelperInfo(owner, name, effects);
    }

    private static nint* AllocatePointers()
    {
        // Registration itself happens in HelperFamilies, which lists the families. An instruction whose helper no family registers is not
        // implemented.
        var pointers = (nint*)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)HelperId.Count, (nuint)sizeof(nint));
        for (var i = 0; i < (int)HelperId.Count; i++)
            pointers[i] = (nint)(delegate*<CpuState*, ulong, ulong, ulong, ulong>)&NotImplemented;
        return pointers;
    }

    private static HelperInfo[] NotImplementedInfos()
    {
        var infos = new HelperInfo[(int)HelperId.Count];
        for (var i = 0; i < infos.Length; i++)
            infos[i] = new HelperInfo(typeof(HelperTable), nameof(NotImplemented), HelperEffects.MayFault);
        return infos;
    }

    private static ulong NotImplemented(CpuState* s, ulong a, ulong b, ulong c)
    {
        CpuAccess.Raise(s, ExceptionVector.InvalidOpcode);
        return 0;
    }

    private readonly record struct HelperInfo(Type Owner, string Name, HelperEffects Effects);
}

/// <summary>Lists the helper families. One line a family.</summary>
public static class HelperFamilies
{
    private static bool _registered;

    /// <summary>Fills <see cref="HelperTable"/>; idempotent; every vCPU's constructor calls it.</summary>
    public static void Register()
    {
        if (_registered)
            return;
        VectorHelpers.RegisterHelpers();
        IntegerHelpers.RegisterHelpers();
        Atomics.RegisterHelpers();
        StringOperations.RegisterHelpers();
        Ports.RegisterHelpers();
        SegmentHelpers.RegisterHelpers();
        FarTransferHelpers.RegisterHelpers();
        InterruptReturns.RegisterHelpers();
        Processor.RegisterHelpers();
        PrivilegedHelpers.RegisterHelpers();
        X87Helpers.RegisterHelpers();
        _registered = true;
    }
}
