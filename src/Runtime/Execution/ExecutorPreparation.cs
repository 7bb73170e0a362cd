using System.Reflection;
using DynaTrans.Runtime.Host;
using DynaTrans.Runtime.Interpretation;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Execution;

/// <summary>
/// Prepares (<see cref="Preparation"/>) what runs under the guest's MXCSR in every case, once in a process. It takes some
/// fifteen milliseconds, most of them reflection: a command that has a guest to load starts it on a thread of its own meanwhile.
/// </summary>
public static class ExecutorPreparation
{
    private static readonly Lazy<bool> s_done = new(Prepare);

    /// <summary>Starts it. Without another thread the first processor does the work.</summary>
    public static void Start()
    {
        try
        {
            new Thread(Ensure) { IsBackground = true, Name = "preparation" }.Start();
        }
        catch (OutOfMemoryException)
        {
            // No thread is to be had.
        }
    }

    /// <summary>Waits for it, or does it.</summary>
    internal static void Ensure() => _ = s_done.Value;

    private static bool Prepare()
    {
        const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        Preparation.Prepare(typeof(Interpreter).GetMethod(nameof(Interpreter.Run), Any)!);
        Preparation.Prepare(typeof(Vcpu).GetMethod(nameof(Vcpu.PassBetweenExecutors), BindingFlags.Instance | BindingFlags.NonPublic)!);
        Preparation.Prepare(typeof(EntryCell).GetMethod(nameof(EntryCell.Enter), Any)!);
        Preparation.Prepare(typeof(EntryCell).GetMethod(nameof(EntryCell.ReturnToDispatcher), Any)!);
        Preparation.Prepare(typeof(Vcpu).GetMethod(nameof(Vcpu.FindContext), Any)!);
        foreach (var name in (string[])[nameof(HostMxcsr.Enter), nameof(HostMxcsr.Leave), nameof(HostMxcsr.Suspend), nameof(HostMxcsr.Resume)])
            Preparation.Prepare(typeof(HostMxcsr).GetMethod(name, Any)!);
        return true;
    }
}
