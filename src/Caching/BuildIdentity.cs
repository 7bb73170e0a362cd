using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.Runtime.State;

namespace DynaTrans.Caching;

/// <summary>
/// What precompiled code is bound to besides the guest's: the very build of DynaTrans (layouts and helpers are compiled into it), the very
/// build of the framework (its methods are inlined into it), and what the host's processor can do. Any other combination has a directory of its own.
/// </summary>
public static class BuildIdentity
{
    // Raised when the format of the files changes in a way that their own version does not say.
    private const int Generation = 1;

    /// <summary>16 hexadecimal digits.</summary>
    public static string Current { get; } = Make();

    private static string Make()
    {
        var text = new StringBuilder();
        text.Append(Generation).Append('|').Append(RuntimeInformation.FrameworkDescription);
        foreach (var type in (Type[])[typeof(object), typeof(IrOp), typeof(CpuState), typeof(RegionEmitter)])
            text.Append('|').Append(type.Module.ModuleVersionId);
        foreach (var (function, subfunction) in ((int, int)[])[(1, 0), (7, 0), (7, 1), (unchecked((int)0x80000001), 0)])
        {
            var (a, b, c, d) = X86Base.CpuId(function, subfunction);

            // The first leaf also says which processor the thread is on, and how it is stepping; only its features count.
            if (function == 1)
                (a, b) = (0, 0);
            text.Append('|').Append(a).Append(',').Append(b).Append(',').Append(c & ~(1 << 27)).Append(',').Append(d);
        }

        return XxHash64.HashToUInt64(MemoryMarshal.AsBytes(text.ToString().AsSpan())).ToString("x16");
    }
}
