using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;

namespace DynaTrans.Frontend.Tests;

/// <summary>Bytes in, a lifted block out.</summary>
internal static unsafe class Lift
{
    /// <summary>Lifts hexadecimal bytes at 0x401000.</summary>
    public static IrBlock Hex(string bytes, GuestMode mode)
    {
        var code = Convert.FromHexString(bytes.Replace(" ", ""));
        var block = new IrBlock();
        fixed (byte* p = code)
            Assert.True(new Lifter().Lift(block, p, code.Length, 0x401000, mode));
        return block;
    }
}
