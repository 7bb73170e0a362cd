using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The helpers of stack management, control and environment; the arguments are described at <see cref="HelperId"/>.</summary>
internal static unsafe class X87ControlHelpers
{
    private const int LargestImage = 28 + X87Environment.RegisterBytes;

    /// <summary>Enters the family into <see cref="HelperTable"/>.</summary>
    public static void RegisterHelpers()
    {
        Add(HelperId.X87Fincstp, &Fincstp, nameof(Fincstp));
        Add(HelperId.X87Fdecstp, &Fdecstp, nameof(Fdecstp));
        Add(HelperId.X87Ffree, &Ffree, nameof(Ffree));
        Add(HelperId.X87Ffreep, &Ffreep, nameof(Ffreep));
        Add(HelperId.X87Fnop, &Fnop, nameof(Fnop));
        Add(HelperId.X87Fwait, &Fwait, nameof(Fwait));
        Add(HelperId.X87Fninit, &Fninit, nameof(Fninit));
        Add(HelperId.X87Fnclex, &Fnclex, nameof(Fnclex));
        Add(HelperId.X87Fldcw, &Fldcw, nameof(Fldcw));
        Add(HelperId.X87ReadControl, &ReadControl, nameof(ReadControl));
        Add(HelperId.X87ReadStatus, &ReadStatus, nameof(ReadStatus));
        Add(HelperId.X87Fnstenv, &Fnstenv, nameof(Fnstenv));
        Add(HelperId.X87Fldenv, &Fldenv, nameof(Fldenv));
        Add(HelperId.X87Fnsave, &Fnsave, nameof(Fnsave));
        Add(HelperId.X87Frstor, &Frstor, nameof(Frstor));
    }

    internal static ulong Fincstp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Environment.RotateStack(&s->X87, 1);
        return 0;
    }

    internal static ulong Fdecstp(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Environment.RotateStack(&s->X87, -1);
        return 0;
    }

    internal static ulong Ffree(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Environment.Free(&s->X87, X87State.RegisterOf(b), false);
        return 0;
    }

    internal static ulong Ffreep(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.Begin(s))
            return 0;
        s->X87.Last = b;
        X87Environment.Free(&s->X87, X87State.RegisterOf(b), true);
        return 0;
    }

    internal static ulong Fnop(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (X87Access.Begin(s))
            s->X87.Last = b;
        return 0;
    }

    internal static ulong Fwait(CpuState* s, ulong a, ulong b, ulong c)
    {
        if ((s->X87.Guard & X87State.GuardWait) != 0)
            CpuAccess.Raise(s, ExceptionVector.DeviceNotAvailable);
        else if ((s->X87.Status & ES) != 0)
            CpuAccess.Raise(s, ExceptionVector.FloatingPoint);
        return 0;
    }

    internal static ulong Fninit(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (X87Access.BeginWithoutWait(s))
            X87Environment.Initialise(&s->X87);
        return 0;
    }

    internal static ulong Fnclex(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (X87Access.BeginWithoutWait(s))
            X87Environment.ClearExceptions(&s->X87);
        return 0;
    }

    internal static ulong Fldcw(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (X87Access.Begin(s) && X87Access.Load(s, a, b, out ushort value))
            X87Environment.LoadControl(&s->X87, value);
        return 0;
    }

    internal static ulong ReadControl(CpuState* s, ulong a, ulong b, ulong c) => X87Access.BeginWithoutWait(s) ? s->X87.Fcw : 0u;

    internal static ulong ReadStatus(CpuState* s, ulong a, ulong b, ulong c) => X87Access.BeginWithoutWait(s) ? s->X87.Fsw : 0u;

    internal static ulong Fnstenv(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.BeginWithoutWait(s))
            return 0;
        var format = (X87EnvironmentFormat)(byte)b;
        byte* image = stackalloc byte[LargestImage];
        X87Environment.WriteEnvironment(&s->X87, image, format, CodeBase(s, format));
        if (Store(s, a, b, image, X87Environment.Size(format), format))
            X87Environment.MaskAll(&s->X87);
        return 0;
    }

    internal static ulong Fldenv(CpuState* s, ulong a, ulong b, ulong c)
    {
        var format = (X87EnvironmentFormat)(byte)b;
        byte* image = stackalloc byte[LargestImage];
        if (X87Access.Begin(s) && Load(s, a, b, image, X87Environment.Size(format), format))
            X87Environment.ReadEnvironment(&s->X87, image, format, CodeBase(s, format));
        return 0;
    }

    internal static ulong Fnsave(CpuState* s, ulong a, ulong b, ulong c)
    {
        if (!X87Access.BeginWithoutWait(s))
            return 0;
        var format = (X87EnvironmentFormat)(byte)b;
        int size = X87Environment.Size(format);
        byte* image = stackalloc byte[LargestImage];
        X87Environment.WriteEnvironment(&s->X87, image, format, CodeBase(s, format));
        X87Environment.WriteRegisters(&s->X87, image + size);
        if (Store(s, a, b, image, size + X87Environment.RegisterBytes, format))
            X87Environment.Initialise(&s->X87);
        return 0;
    }

    internal static ulong Frstor(CpuState* s, ulong a, ulong b, ulong c)
    {
        var format = (X87EnvironmentFormat)(byte)b;
        int size = X87Environment.Size(format);
        byte* image = stackalloc byte[LargestImage];
        if (!X87Access.Begin(s) || !Load(s, a, b, image, size + X87Environment.RegisterBytes, format))
            return 0;
        X87Environment.ReadEnvironment(&s->X87, image, format, CodeBase(s, format));
        X87Environment.ReadRegisters(&s->X87, image + size);
        return 0;
    }

    private static bool Load(CpuState* s, ulong linear, ulong last, byte* image, int size, X87EnvironmentFormat format) =>
        X87Access.LoadImage(s, linear, last, image, size, FieldSize(format));

    private static bool Store(CpuState* s, ulong linear, ulong last, byte* image, int size, X87EnvironmentFormat format) =>
        X87Access.StoreImage(s, linear, last, image, size, size, FieldSize(format));

    private static int FieldSize(X87EnvironmentFormat format) => format >= X87EnvironmentFormat.Protected32 ? 4 : 2;

    private static ulong CodeBase(CpuState* s, X87EnvironmentFormat format) =>
        format is X87EnvironmentFormat.Real16 or X87EnvironmentFormat.Real32 ? s->Slots[Slot.CsBase] : 0;

    private static void Add(HelperId id, delegate*<CpuState*, ulong, ulong, ulong, ulong> pointer, string name) =>
        HelperTable.Add(id, pointer, typeof(X87ControlHelpers), name, HelperEffects.MayFault);
}
