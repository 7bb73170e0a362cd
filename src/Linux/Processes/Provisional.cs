namespace DynaTrans.Linux.Processes;
public sealed unsafe partial class GuestThread
{
    internal void SetTemporaryMask(ulong mask) { }
    internal void RestoreMask() { }
    internal void SendBrokenPipe() { }
}
