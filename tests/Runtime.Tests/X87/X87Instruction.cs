using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Tests.X87;

/// <summary>What the memory operand of a comparison holds.</summary>
internal enum X87Operand
{
    None,
    Single,
    Double,
    Extended,
    Integer16,
    Integer32,
    Integer64,
    Decimal,
}

/// <summary>Carries out an instruction on the state, a memory operand, and EFLAGS.</summary>
internal unsafe delegate void X87Action(X87State* state, byte* memory, ref ulong flags);

/// <summary>An instruction of the comparison: its bytes with [rsi] as memory operand, and the code of ours that stands for it.</summary>
internal sealed record X87Instruction(string Name, byte[] Bytes, X87Operand Operand, X87Action Action)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<X87Instruction> All { get; } = Build();

    /// <summary>The one of that name.</summary>
    public static X87Instruction Find(string name) => All.First(i => i.Name == name);

    private static unsafe List<X87Instruction> Build()
    {
        var all = new List<X87Instruction>();
        Arithmetic<X87Add>(all, "fadd", 0, 0);
        Arithmetic<X87Multiply>(all, "fmul", 1, 1);
        Arithmetic<X87Subtract>(all, "fsub", 4, 5);
        Arithmetic<X87SubtractReverse>(all, "fsubr", 5, 4);
        Arithmetic<X87Divide>(all, "fdiv", 6, 7);
        Arithmetic<X87DivideReverse>(all, "fdivr", 7, 6);
        Plain(all, "fsqrt", 0xFA, s => X87Arithmetic.SquareRoot(s));
        Plain(all, "frndint", 0xFC, s => X87Arithmetic.RoundToIntegral(s));
        Plain(all, "fscale", 0xFD, s => X87Arithmetic.Scale(s));
        Plain(all, "fprem", 0xF8, s => X87Arithmetic.Remainder(s, false));
        Plain(all, "fprem1", 0xF5, s => X87Arithmetic.Remainder(s, true));
        Plain(all, "fxtract", 0xF4, s => X87Arithmetic.Extract(s));
        Plain(all, "fabs", 0xE1, s => X87Arithmetic.Absolute(s));
        Plain(all, "fchs", 0xE0, s => X87Arithmetic.ChangeSign(s));
        Plain(all, "ftst", 0xE4, s => X87Compare.Test(s));
        Plain(all, "fxam", 0xE5, s => X87Compare.Examine(s));
        Plain(all, "fincstp", 0xF7, s => X87Environment.RotateStack(s, 1));
        Plain(all, "fdecstp", 0xF6, s => X87Environment.RotateStack(s, -1));
        string[] constants = ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"];
        for (byte i = 0; i < constants.Length; i++)
        {
            uint index = i;
            Plain(all, constants[i], (byte)(0xE8 + i), s => X87Load.Constant(s, index));
        }
        (string Name, byte Opcode)[] transcendental =
        [
            ("fsin", 0xFE), ("fcos", 0xFF), ("fsincos", 0xFB), ("fptan", 0xF2), ("fpatan", 0xF3), ("f2xm1", 0xF0), ("fyl2x", 0xF1),
            ("fyl2xp1", 0xF9),
        ];
        for (uint i = 0; i < transcendental.Length; i++)
        {
            uint index = i;
            Plain(all, transcendental[i].Name, transcendental[i].Opcode, s => X87Transcendental.Execute(s, index));
        }
        Register(all, "fcom", 0xD8, 0xD0, (s, i) => X87Compare.Register(s, i, false, 0));
        Register(all, "fcomp", 0xD8, 0xD8, (s, i) => X87Compare.Register(s, i, false, 1));
        Register(all, "fucom", 0xDD, 0xE0, (s, i) => X87Compare.Register(s, i, true, 0));
        Register(all, "fucomp", 0xDD, 0xE8, (s, i) => X87Compare.Register(s, i, true, 1));
        Pair(all, "fcompp", 0xDE, 0xD9, s => X87Compare.Register(s, 1, false, 2));
        Pair(all, "fucompp", 0xDA, 0xE9, s => X87Compare.Register(s, 1, true, 2));
        Eflags(all, "fcomi", 0xDB, 0xF0, false, false);
        Eflags(all, "fcomip", 0xDF, 0xF0, false, true);
        Eflags(all, "fucomi", 0xDB, 0xE8, true, false);
        Eflags(all, "fucomip", 0xDF, 0xE8, true, true);
        Register(all, "fld st", 0xD9, 0xC0, (s, i) => X87Load.Register(s, i));
        Register(all, "fst st", 0xDD, 0xD0, (s, i) => X87Store.Register(s, i, false));
        Register(all, "fstp st", 0xDD, 0xD8, (s, i) => X87Store.Register(s, i, true));
        Register(all, "fstpnce", 0xD9, 0xD8, (s, i) => X87Store.RegisterUnchecked(s, i));
        Register(all, "fxch", 0xD9, 0xC8, (s, i) => X87Store.Exchange(s, i));
        Register(all, "ffree", 0xDD, 0xC0, (s, i) => X87Environment.Free(s, i, false));
        Register(all, "ffreep", 0xDF, 0xC0, (s, i) => X87Environment.Free(s, i, true));
        Conditional(all, "fcmovb", 0xDA, 0xC0, f => (f & 1) != 0);
        Conditional(all, "fcmovnu", 0xDB, 0xD8, f => (f & 4) == 0);
        Memory(all, "fld m32", 0xD9, 0, X87Operand.Single, (s, m) => X87Load.Single(s, *(uint*)m));
        Memory(all, "fld m64", 0xDD, 0, X87Operand.Double, (s, m) => X87Load.Double(s, *(ulong*)m));
        Memory(all, "fld m80", 0xDB, 5, X87Operand.Extended, (s, m) => X87Load.Push(s, new(*(ulong*)m, *(ushort*)(m + 8))));
        Memory(all, "fild m16", 0xDF, 0, X87Operand.Integer16, (s, m) => X87Load.Push(s, Float80Convert.FromInteger(*(short*)m)));
        Memory(all, "fild m32", 0xDB, 0, X87Operand.Integer32, (s, m) => X87Load.Push(s, Float80Convert.FromInteger(*(int*)m)));
        Memory(all, "fild m64", 0xDF, 5, X87Operand.Integer64, (s, m) => X87Load.Push(s, Float80Convert.FromInteger(*(long*)m)));
        Memory(all, "fbld", 0xDF, 4, X87Operand.Decimal, (s, m) =>
            X87Load.Push(s, Float80Convert.FromDecimal(*(ulong*)m, *(ushort*)(m + 8))));
        Memory(all, "fst m32", 0xD9, 2, X87Operand.Single, (s, m) => StoreSingle(s, m, false));
        Memory(all, "fstp m32", 0xD9, 3, X87Operand.Single, (s, m) => StoreSingle(s, m, true));
        Memory(all, "fst m64", 0xDD, 2, X87Operand.Double, (s, m) => StoreDouble(s, m, false));
        Memory(all, "fstp m64", 0xDD, 3, X87Operand.Double, (s, m) => StoreDouble(s, m, true));
        Memory(all, "fstp m80", 0xDB, 7, X87Operand.Extended, StoreExtended);
        Memory(all, "fist m16", 0xDF, 2, X87Operand.Integer16, (s, m) => StoreInteger(s, m, 16, false, false));
        Memory(all, "fistp m16", 0xDF, 3, X87Operand.Integer16, (s, m) => StoreInteger(s, m, 16, false, true));
        Memory(all, "fist m32", 0xDB, 2, X87Operand.Integer32, (s, m) => StoreInteger(s, m, 32, false, false));
        Memory(all, "fistp m32", 0xDB, 3, X87Operand.Integer32, (s, m) => StoreInteger(s, m, 32, false, true));
        Memory(all, "fistp m64", 0xDF, 7, X87Operand.Integer64, (s, m) => StoreInteger(s, m, 64, false, true));
        Memory(all, "fisttp m16", 0xDF, 1, X87Operand.Integer16, (s, m) => StoreInteger(s, m, 16, true, true));
        Memory(all, "fisttp m32", 0xDB, 1, X87Operand.Integer32, (s, m) => StoreInteger(s, m, 32, true, true));
        Memory(all, "fisttp m64", 0xDD, 1, X87Operand.Integer64, (s, m) => StoreInteger(s, m, 64, true, true));
        Memory(all, "fbstp", 0xDF, 6, X87Operand.Decimal, StoreDecimal);
        Memory(all, "fcom m32", 0xD8, 2, X87Operand.Single, (s, m) => CompareSingle(s, m, 0));
        Memory(all, "fcomp m64", 0xDC, 3, X87Operand.Double, (s, m) =>
            X87Compare.Memory(s, Float80Convert.FromDouble(*(ulong*)m), Float80Convert.IsDenormalDouble(*(ulong*)m), 1));
        Memory(all, "ficom m16", 0xDE, 2, X87Operand.Integer16, (s, m) =>
            X87Compare.Memory(s, Float80Convert.FromInteger(*(short*)m), false, 0));
        Memory(all, "ficomp m32", 0xDA, 3, X87Operand.Integer32, (s, m) =>
            X87Compare.Memory(s, Float80Convert.FromInteger(*(int*)m), false, 1));
        Control(all);
        return all;
    }

    private static unsafe void Control(List<X87Instruction> all)
    {
        Pair(all, "fninit", 0xDB, 0xE3, s => X87Environment.Initialise(s));
        Pair(all, "fnclex", 0xDB, 0xE2, s => X87Environment.ClearExceptions(s));
        Memory(all, "fldcw", 0xD9, 5, X87Operand.Integer64, (s, m) => X87Environment.LoadControl(s, *(ushort*)m));
        Memory(all, "fnstcw", 0xD9, 7, X87Operand.Integer64, (s, m) => *(ushort*)m = s->Fcw);
        Memory(all, "fnstsw", 0xDD, 7, X87Operand.Integer64, (s, m) => *(ushort*)m = s->Fsw);
        Memory(all, "fldenv", 0xD9, 4, X87Operand.Integer64, (s, m) => X87Environment.ReadEnvironment(s, m, X87EnvironmentFormat.Protected32));
        Memory(all, "frstor", 0xDD, 4, X87Operand.Integer64, (s, m) =>
        {
            X87Environment.ReadEnvironment(s, m, X87EnvironmentFormat.Protected32);
            X87Environment.ReadRegisters(s, m + 28);
        });
        all.Add(new("fldenv 16", [0x66, 0xD9, 0x26], X87Operand.Integer64,
            (X87State* s, byte* m, ref ulong f) => X87Environment.ReadEnvironment(s, m, X87EnvironmentFormat.Protected16)));
        Memory(all, "fnstenv", 0xD9, 6, X87Operand.Integer64, (s, m) =>
        {
            X87Environment.WriteEnvironment(s, m, X87EnvironmentFormat.Protected32);
            X87Environment.MaskAll(s);
        });
        Memory(all, "fnsave", 0xDD, 6, X87Operand.Integer64, (s, m) =>
        {
            X87Environment.WriteEnvironment(s, m, X87EnvironmentFormat.Protected32);
            X87Environment.WriteRegisters(s, m + 28);
            X87Environment.Initialise(s);
        });
        all.Add(new("fnstenv 16", [0x66, 0xD9, 0x36], X87Operand.Integer64, (X87State* s, byte* m, ref ulong f) =>
        {
            X87Environment.WriteEnvironment(s, m, X87EnvironmentFormat.Protected16);
            X87Environment.MaskAll(s);
        }));
    }

    private unsafe delegate void StateAction(X87State* state);

    private unsafe delegate void RegisterAction(X87State* state, uint index);

    private unsafe delegate void MemoryAction(X87State* state, byte* memory);

    private static unsafe void Pair(List<X87Instruction> all, string name, byte first, byte second, StateAction action) =>
        all.Add(new(name, [first, second], X87Operand.None, (X87State* s, byte* m, ref ulong f) => action(s)));

    private static unsafe void Plain(List<X87Instruction> all, string name, byte second, StateAction action) =>
        Pair(all, name, 0xD9, second, action);

    private static unsafe void Register(List<X87Instruction> all, string name, byte first, byte second, RegisterAction action)
    {
        foreach (uint i in (uint[])[0, 1, 5])
        {
            uint index = i;
            Pair(all, $"{name}({i})", first, (byte)(second + i), s => action(s, index));
        }
    }

    private static unsafe void Memory(
        List<X87Instruction> all, string name, byte opcode, int extension, X87Operand operand, MemoryAction action) =>
        all.Add(new(name, [opcode, (byte)(extension << 3 | 6)], operand, (X87State* s, byte* m, ref ulong f) => action(s, m)));

    private static unsafe void Arithmetic<T>(List<X87Instruction> all, string name, int extension, int reverse)
        where T : struct, IX87Operation
    {
        byte forward = (byte)(0xC0 + extension * 8), backward = (byte)(0xC0 + reverse * 8);
        Register(all, $"{name} st0,st", 0xD8, forward, (s, i) => X87Arithmetic.Register<T>(s, 0, i, false));
        Register(all, $"{name} st,st0", 0xDC, backward, (s, i) => X87Arithmetic.Register<T>(s, i, 0, false));
        Register(all, $"{name}p st,st0", 0xDE, backward, (s, i) => X87Arithmetic.Register<T>(s, i, 0, true));
        Memory(all, $"{name} m32", 0xD8, extension, X87Operand.Single, (s, m) =>
            X87Arithmetic.Memory<T>(s, Float80Convert.FromSingle(*(uint*)m), Float80Convert.IsDenormalSingle(*(uint*)m)));
        Memory(all, $"{name} m64", 0xDC, extension, X87Operand.Double, (s, m) =>
            X87Arithmetic.Memory<T>(s, Float80Convert.FromDouble(*(ulong*)m), Float80Convert.IsDenormalDouble(*(ulong*)m)));
        Memory(all, $"{name} i16", 0xDE, extension, X87Operand.Integer16, (s, m) =>
            X87Arithmetic.Memory<T>(s, Float80Convert.FromInteger(*(short*)m), false));
        Memory(all, $"{name} i32", 0xDA, extension, X87Operand.Integer32, (s, m) =>
            X87Arithmetic.Memory<T>(s, Float80Convert.FromInteger(*(int*)m), false));
    }

    private static unsafe void Eflags(List<X87Instruction> all, string name, byte first, byte second, bool quiet, bool pop)
    {
        foreach (uint i in (uint[])[0, 1, 5])
        {
            uint index = i;
            all.Add(new($"{name}({i})", [first, (byte)(second + i)], X87Operand.None, (X87State* s, byte* m, ref ulong f) =>
                f = f & ~0x8D5ul | X87Compare.ToEflags(s, index, quiet, pop)));
        }
    }

    private static unsafe void Conditional(List<X87Instruction> all, string name, byte first, byte second, Func<ulong, bool> condition)
    {
        foreach (uint i in (uint[])[0, 1, 5])
        {
            uint index = i;
            all.Add(new($"{name}({i})", [first, (byte)(second + i)], X87Operand.None, (X87State* s, byte* m, ref ulong f) =>
                X87Store.ConditionalMove(s, index, condition(f))));
        }
    }

    private static unsafe void StoreSingle(X87State* s, byte* m, bool pop)
    {
        if (X87Store.ToSingle(s, out uint bits, out uint flags))
            *(uint*)m = bits;
        X87Store.Commit(s, flags, pop);
    }

    private static unsafe void StoreDouble(X87State* s, byte* m, bool pop)
    {
        if (X87Store.ToDouble(s, out ulong bits, out uint flags))
            *(ulong*)m = bits;
        X87Store.Commit(s, flags, pop);
    }

    private static unsafe void StoreExtended(X87State* s, byte* m)
    {
        if (X87Store.ToExtended(s, out Float80 value, out uint flags))
        {
            *(ulong*)m = value.Significand;
            *(ushort*)(m + 8) = value.SignExponent;
        }
        X87Store.Commit(s, flags, true);
    }

    private static unsafe void StoreInteger(X87State* s, byte* m, int width, bool truncate, bool pop)
    {
        if (X87Store.ToInteger(s, width, truncate, out long value, out uint flags))
        {
            if (width == 16)
                *(short*)m = (short)value;
            else if (width == 32)
                *(int*)m = (int)value;
            else
                *(long*)m = value;
        }
        X87Store.Commit(s, flags, pop);
    }

    private static unsafe void StoreDecimal(X87State* s, byte* m)
    {
        if (X87Store.ToDecimal(s, out ulong digits, out ushort top, out uint flags))
        {
            *(ulong*)m = digits;
            *(ushort*)(m + 8) = top;
        }
        X87Store.Commit(s, flags, true);
    }

    private static unsafe void CompareSingle(X87State* s, byte* m, int pops) =>
        X87Compare.Memory(s, Float80Convert.FromSingle(*(uint*)m), Float80Convert.IsDenormalSingle(*(uint*)m), pops);
}
