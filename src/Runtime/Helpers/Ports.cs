using DynaTrans.Frontend.Ir;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.State;

namespace DynaTrans.Runtime.Helpers;

/// <summary>I/O ports. Without a bus (see <see cref="ExecutionState.PortReader"/>) reads give ones and writes are ignored.</summary>
public static unsafe class Ports
{
    internal static void RegisterHelpers()
    {
        // A device may go by a clock that counts instructions.
        const HelperEffects Effects = HelperEffects.ReadsState | HelperEffects.NotRepeatable | HelperEffects.Recounts;
        HelperTable.Add(HelperId.PortIn, &In, typeof(Ports), nameof(In), Effects);
        HelperTable.Add(HelperId.PortOut, &Out, typeof(Ports), nameof(Out), Effects);
    }

    /// <summary>Reads 1, 2 or 4 bytes from a port.</summary>
    public static ulong Read(CpuState* s, ushort port, int size)
    {
        var mask = ulong.MaxValue >> (64 - (size * 8));
        return s->Execution.PortReader == null ? mask : FromBus(s, port, size) & mask;
    }

    /// <summary>Writes 1, 2 or 4 bytes to a port.</summary>
    public static void Write(CpuState* s, ushort port, int size, ulong value)
    {
        if (s->Execution.PortWriter != null)
            ToBus(s, port, size, value);
    }

    // A device may compute with floating point.
    [UnderHostMxcsr]
    private static ulong FromBus(CpuState* s, ushort port, int size)
    {
        var mxcsr = HostMxcsr.Suspend();
        var value = s->Execution.PortReader(s, port, size);
        HostMxcsr.Resume(mxcsr);
        return value;
    }

    [UnderHostMxcsr]
    private static void ToBus(CpuState* s, ushort port, int size, ulong value)
    {
        var mxcsr = HostMxcsr.Suspend();
        s->Execution.PortWriter(s, port, size, (uint)value);
        HostMxcsr.Resume(mxcsr);
    }

    private static ulong In(CpuState* s, ulong port, ulong size, ulong c) => Read(s, (ushort)port, (int)size);

    private static ulong Out(CpuState* s, ulong port, ulong size, ulong value)
    {
        Write(s, (ushort)port, (int)size, value);
        return 0;
    }
}
