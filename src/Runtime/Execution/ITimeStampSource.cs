namespace DynaTrans.Runtime.Execution;

/// <summary>The clock of a machine, as the time-stamp counter counts it. Called on the vCPU's thread.</summary>
public interface ITimeStampSource
{
    /// <summary>Ticks of 1 ns since the machine was switched on.</summary>
    ulong Now { get; }
}
