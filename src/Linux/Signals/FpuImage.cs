using System.Buffers.Binary;
using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Helpers.X87;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Linux.Signals;

/// <summary>The floating-point state of a thread as FXSAVE and FNSAVE images, for signal frames.</summary>
internal static unsafe class FpuImage
{
    /// <summary>Bytes of an FXSAVE image.</summary>
    public const int Size = 512;

    /// <summary>Bytes of the FNSAVE image with status and magic that precedes it in i386 frames (struct _fpstate_32 up to _fxsr_env).</summary>
    public const int LegacySize = 112;

    private const int MxcsrOffset = 24, MxcsrMaskOffset = 28, XmmOffset = 160;
    private const int CodeSelectorOffset = 16, DataSelectorOffset = 24;
    private const ushort MagicFxsr = 0;

    /// <summary>Writes an FXSAVE image with 64-bit pointers when <paramref name="wide"/>.</summary>
    public static void Write(CpuState* s, Span<byte> to, bool wide)
    {
        to[..Size].Clear();
        fixed (byte* image = to)
        {
            X87Environment.WriteFxsave(X87(s), image, wide);
            *(uint*)(image + MxcsrOffset) = s->Mxcsr;
            *(uint*)(image + MxcsrMaskOffset) = HostMxcsr.ValidBits;
            Buffer.MemoryCopy((byte*)s + CpuState.VectorOffset, image + XmmOffset, 256, wide ? 256 : 128);
        }
    }

    /// <summary>True when FXRSTOR would accept the image.</summary>
    public static bool IsValid(ReadOnlySpan<byte> image) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]) & ~HostMxcsr.ValidBits) == 0;

    /// <summary>Reads an FXSAVE image, which <see cref="IsValid"/> accepts.</summary>
    public static void Read(CpuState* s, ReadOnlySpan<byte> from, bool wide)
    {
        fixed (byte* image = from)
        {
            X87Environment.ReadFxsave(X87(s), image, wide);
            HostMxcsr.Set(s, *(uint*)(image + MxcsrOffset));
            Buffer.MemoryCopy(image + XmmOffset, (byte*)s + CpuState.VectorOffset, 256, wide ? 256 : 128);
        }
    }

    /// <summary>Writes the FNSAVE image, status and magic.</summary>
    public static void WriteLegacy(CpuState* s, Span<byte> to)
    {
        fixed (byte* image = to)
        {
            X87Environment.WriteEnvironment(X87(s), image, X87EnvironmentFormat.Protected32);
            X87Environment.WriteRegisters(X87(s), image + X87Environment.Size(X87EnvironmentFormat.Protected32));

            // Of the pointers' selectors the kernel knows nothing; it writes the current ones.
            *(uint*)(image + CodeSelectorOffset) = s->Cs.Selector;
            *(uint*)(image + DataSelectorOffset) = 0xFFFF_0000 | s->Ds.Selector;
            *(ushort*)(image + LegacySize - 4) = s->Fsw;
            *(ushort*)(image + LegacySize - 2) = MagicFxsr;
        }
    }

    /// <summary>Reads the FNSAVE image over what the FXSAVE image gave: a handler may have changed either.</summary>
    public static void ReadLegacy(CpuState* s, ReadOnlySpan<byte> from)
    {
        fixed (byte* image = from)
        {
            X87Environment.ReadEnvironment(X87(s), image, X87EnvironmentFormat.Protected32);
            X87Environment.ReadRegisters(X87(s), image + X87Environment.Size(X87EnvironmentFormat.Protected32));
        }
    }

    /// <summary>The state that a handler and a new program start with.</summary>
    public static void Reset(CpuState* s)
    {
        new Span<byte>((byte*)s + CpuState.VectorOffset, 256).Clear();
        new Span<byte>(X87(s), 128).Clear();
        X87Environment.Initialise(X87(s));
        HostMxcsr.Set(s, HostMxcsr.Default);
    }

    private static X87State* X87(CpuState* s) => (X87State*)((byte*)s + CpuState.VectorOffset + (VSlot.Mm0 * 16));
}
