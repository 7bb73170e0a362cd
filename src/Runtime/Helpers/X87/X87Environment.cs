using DynaTrans.Runtime.SoftFloat;
using DynaTrans.Runtime.State;
using static DynaTrans.Runtime.SoftFloat.X87Bits;

namespace DynaTrans.Runtime.Helpers.X87;

/// <summary>The shapes of the environment that FNSTENV writes (SDM Vol. 1, figures 8-9 to 8-12).</summary>
public enum X87EnvironmentFormat
{
    /// <summary>14 bytes, selectors and offsets.</summary>
    Protected16,

    /// <summary>14 bytes, linear addresses and opcode.</summary>
    Real16,

    /// <summary>28 bytes, selectors and offsets.</summary>
    Protected32,

    /// <summary>28 bytes, linear addresses and opcode.</summary>
    Real32,
}

/// <summary>Control instructions and the memory images of the x87 state.</summary>
public static unsafe class X87Environment
{
    /// <summary>Bytes of registers that FNSAVE writes behind the environment.</summary>
    public const int RegisterBytes = 80;

    /// <summary>FNINIT. The registers keep their bits.</summary>
    public static void Initialise(X87State* s)
    {
        s->Fcw = InitialControl;
        s->Fsw = 0;
        s->Valid = 0;
        s->Last = 0;
        s->Fdp = 0;
        X87State.UpdateSummary(s);
    }

    /// <summary>FNCLEX.</summary>
    public static void ClearExceptions(X87State* s)
    {
        s->Status = (ushort)(s->Status & ~(Exceptions | SF | ES | Busy));
        X87State.UpdateSummary(s);
    }

    /// <summary>FLDCW. Unmasking an exception whose flag is set makes it pending.</summary>
    public static void LoadControl(X87State* s, uint value)
    {
        s->Fcw = (ushort)(value & ControlWritable | ControlFixed);
        X87State.UpdateSummary(s);
    }

    /// <summary>FINCSTP (+1) and FDECSTP (-1).</summary>
    public static void RotateStack(X87State* s, int change)
    {
        s->Top = (byte)(s->Top + change & 7);
        s->Status = (ushort)(s->Status & ~C1);
    }

    /// <summary>FFREE, and FFREEP when <paramref name="pop"/>.</summary>
    public static void Free(X87State* s, uint index, bool pop)
    {
        s->Valid &= (byte)~(1u << (int)X87State.Physical(s, index));
        s->Status = (ushort)(s->Status & ~C1);
        if (pop)
            X87State.Pop(s);
    }

    /// <summary>The full tag word: 0 valid, 1 zero, 2 special, 3 empty, two bits for each physical register.</summary>
    public static ushort TagWord(X87State* s)
    {
        uint tags = 0;
        for (int i = 7; i >= 0; i--)
        {
            Float80* register = (Float80*)s + i;
            uint tag = (s->Valid >> i & 1) == 0 ? 3u : register->IsNormal ? 0u : register->IsZero ? 1u : 2u;
            tags = tags << 2 | tag;
        }
        return (ushort)tags;
    }

    /// <summary>Size of an environment.</summary>
    public static int Size(X87EnvironmentFormat format) => format >= X87EnvironmentFormat.Protected32 ? 28 : 14;

    /// <summary>
    /// Writes the environment (FNSTENV, FNSAVE). The instructions' after-effects are methods of their own. Selectors are written as 0, as
    /// by CPUs that report them as deprecated (CPUID.7.EBX bit 13).
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="image">14 or 28 bytes.</param>
    /// <param name="format">Shape of the image.</param>
    /// <param name="codeBase">Base of the code segment, for the linear addresses of real mode; else 0.</param>
    public static void WriteEnvironment(X87State* s, byte* image, X87EnvironmentFormat format, ulong codeBase = 0)
    {
        uint fip = (uint)(s->Fip + codeBase), fdp = (uint)s->Fdp;
        if (format >= X87EnvironmentFormat.Protected32)
        {
            uint* words = (uint*)image;
            // The reserved upper halves read as ones, but for that of the last operand's selector.
            words[0] = 0xFFFF0000 | s->Fcw;
            words[1] = 0xFFFF0000 | s->Fsw;
            words[2] = 0xFFFF0000 | TagWord(s);
            if (format == X87EnvironmentFormat.Protected32)
            {
                words[3] = fip;
                words[4] = (uint)s->Fop << 16;
                words[5] = fdp;
                words[6] = 0xFFFF0000;
            }
            else
            {
                words[3] = 0xFFFF0000 | fip & 0xFFFF;
                words[4] = fip >> 16 << 12 | s->Fop;
                words[5] = 0xFFFF0000 | fdp & 0xFFFF;
                words[6] = fdp >> 16 << 12;
            }
            return;
        }
        ushort* halves = (ushort*)image;
        halves[0] = s->Fcw;
        halves[1] = s->Fsw;
        halves[2] = TagWord(s);
        halves[3] = (ushort)fip;
        halves[5] = (ushort)fdp;
        if (format == X87EnvironmentFormat.Protected16)
        {
            halves[4] = 0;
            halves[6] = 0;
        }
        else
        {
            halves[4] = (ushort)(fip >> 4 & 0xF000 | s->Fop);
            halves[6] = (ushort)(fdp >> 4 & 0xF000);
        }
    }

    /// <summary>Reads an environment (FLDENV, FRSTOR).</summary>
    /// <inheritdoc cref="WriteEnvironment"/>
    public static void ReadEnvironment(X87State* s, byte* image, X87EnvironmentFormat format, ulong codeBase = 0)
    {
        uint tags;
        if (format >= X87EnvironmentFormat.Protected32)
        {
            uint* words = (uint*)image;
            s->Fcw = (ushort)words[0];
            s->Fsw = (ushort)words[1];
            tags = words[2];
            if (format == X87EnvironmentFormat.Protected32)
            {
                s->Last = X87State.Pack(words[3], words[4] >> 16 & 0x7FF);
                s->Fdp = words[5];
            }
            else
            {
                s->Last = X87State.Pack((words[3] & 0xFFFF | words[4] >> 12 << 16) - (uint)codeBase, words[4] & 0x7FF);
                s->Fdp = words[5] & 0xFFFF | words[6] >> 12 << 16;
            }
        }
        else
        {
            ushort* halves = (ushort*)image;
            s->Fcw = halves[0];
            s->Fsw = halves[1];
            tags = halves[2];
            s->Last = halves[3];
            s->Fdp = halves[5];
            if (format == X87EnvironmentFormat.Real16)
            {
                uint fip = halves[3] | (uint)(halves[4] >> 12 << 16);
                s->Last = X87State.Pack(fip - (uint)codeBase, halves[4] & 0x7FFu);
                s->Fdp |= (uint)(halves[6] >> 12 << 16);
            }
        }
        LoadControl(s, s->Fcw);
        uint valid = 0;
        for (int i = 0; i < 8; i++)
            valid |= (tags >> (2 * i) & 3) != 3 ? 1u << i : 0;
        s->Valid = (byte)valid;
    }

    /// <summary>What FNSTENV does after the image is written: all exceptions masked.</summary>
    public static void MaskAll(X87State* s)
    {
        s->Fcw |= (ushort)Exceptions;
        X87State.UpdateSummary(s);
    }

    /// <summary>Writes ST(0) to ST(7), ten bytes each (FNSAVE).</summary>
    public static void WriteRegisters(X87State* s, byte* image)
    {
        for (uint i = 0; i < 8; i++, image += 10)
        {
            *(ulong*)image = X87State.St(s, i)->Significand;
            *(ushort*)(image + 8) = X87State.St(s, i)->SignExponent;
        }
    }

    /// <summary>Reads ST(0) to ST(7) after the environment has set TOP (FRSTOR).</summary>
    public static void ReadRegisters(X87State* s, byte* image)
    {
        for (uint i = 0; i < 8; i++, image += 10)
            Float80.Write(X87State.St(s, i), new(*(ulong*)image, *(ushort*)(image + 8)));
    }

    /// <summary>Writes the x87 part of an FXSAVE image: bytes 0 to 23 and 32 to 159.</summary>
    /// <param name="s">The state.</param>
    /// <param name="image">512 bytes, of which the MXCSR fields and those of the XMM registers are left alone.</param>
    /// <param name="wide">True for the form with 64-bit pointers (REX.W).</param>
    public static void WriteFxsave(X87State* s, byte* image, bool wide)
    {
        *(ushort*)image = s->Fcw;
        *(ushort*)(image + 2) = s->Fsw;
        *(ushort*)(image + 4) = s->Valid;
        *(ushort*)(image + 6) = s->Fop;
        *(ulong*)(image + 8) = wide ? s->Fip : (uint)s->Fip;
        *(ulong*)(image + 16) = wide ? s->Fdp : (uint)s->Fdp;
        for (uint i = 0; i < 8; i++)
        {
            *(ulong*)(image + 32 + 16 * i) = X87State.St(s, i)->Significand;
            *(ulong*)(image + 40 + 16 * i) = X87State.St(s, i)->SignExponent;
        }
    }

    /// <summary>Reads the x87 part of an FXSAVE image.</summary>
    /// <inheritdoc cref="WriteFxsave"/>
    public static void ReadFxsave(X87State* s, byte* image, bool wide)
    {
        s->Fsw = *(ushort*)(image + 2);
        s->Valid = image[4];
        s->Last = X87State.Pack(wide ? *(ulong*)(image + 8) : *(uint*)(image + 8), *(ushort*)(image + 6) & 0x7FFu);
        s->Fdp = wide ? *(ulong*)(image + 16) : *(uint*)(image + 16);
        LoadControl(s, *(ushort*)image);
        for (uint i = 0; i < 8; i++)
            Float80.Write(X87State.St(s, i), new(*(ulong*)(image + 32 + 16 * i), *(ushort*)(image + 40 + 16 * i)));
    }
}
