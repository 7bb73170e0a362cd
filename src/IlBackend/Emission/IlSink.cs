using System.Reflection;
using System.Reflection.Emit;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// Where the emitter writes IL to. There is one emitter and it knows only this: what a sink for a dump or an exported assembly receives is
/// what the sink for execution receives. Locals and labels are numbers counted from 0 in the order of their declaration.
/// </summary>
public abstract unsafe class IlSink
{
    /// <summary>What <see cref="BeginGlue"/> is given where the code out of the way begins: slow paths and exits.</summary>
    public const string OutOfLine = "slow paths";

    /// <summary>Declares a local; returns its number.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="name">What it holds, for whoever reads the IL; unique in the method.</param>
    public abstract int DeclareLocal(Type type, string name);

    /// <summary>Makes a label; returns its number.</summary>
    public abstract int DefineLabel();

    /// <summary>Places a label here.</summary>
    public abstract void MarkLabel(int label);

    /// <summary>An instruction without operand.</summary>
    public abstract void Emit(OpCode opcode);

    /// <summary>An instruction with a 32-bit constant, or a small one (unaligned.).</summary>
    public abstract void Emit(OpCode opcode, int value);

    /// <summary>ldc.i8.</summary>
    public abstract void Emit(OpCode opcode, long value);

    /// <summary>ldloc or stloc.</summary>
    public abstract void EmitLocal(OpCode opcode, int local);

    /// <summary>A branch.</summary>
    public abstract void EmitBranch(OpCode opcode, int label);

    /// <summary>switch.</summary>
    public abstract void EmitSwitch(int[] labels);

    /// <summary>call.</summary>
    public abstract void EmitCall(MethodInfo method);

    /// <summary>Pushes the address of what lies at an offset of the CPU state.</summary>
    public virtual void EmitStateAddress(int offset)
    {
        Emit(OpCodes.Ldarg_0);
        if (offset == 0)
            return;
        Emit(OpCodes.Ldc_I4, offset);
        Emit(OpCodes.Add);
    }

    /// <summary>Pushes the address of an entry cell. An exported assembly has a field for it instead.</summary>
    /// <param name="links">The local with the address of the region's links.</param>
    /// <param name="index">Index of the cell in them.</param>
    /// <param name="target">Its guest address.</param>
    public virtual void EmitCell(int links, int index, ulong target)
    {
        EmitLocal(OpCodes.Ldloc, links);
        Emit(OpCodes.Ldc_I4, RegionLinks.CellsOffset + (index * sizeof(EntryCell*)));
        Emit(OpCodes.Add);
        Emit(OpCodes.Ldind_I);
    }

    /// <summary>Pushes, as int64, what stands for a fault site. An exported assembly has a field for it instead.</summary>
    /// <param name="index">Index of the site.</param>
    /// <param name="site">What it says.</param>
    public virtual void EmitFaultSite(int index, in FaultSite site) => Emit(OpCodes.Ldc_I8, (long)RegionLinks.OffsetOfSite(index));

    /// <summary>Makes the address of a fault site of what <see cref="EmitFaultSite"/> has pushed.</summary>
    /// <param name="links">The local with the address of the region's links.</param>
    public virtual void EmitSiteAddress(int links)
    {
        Emit(OpCodes.Conv_I);
        EmitLocal(OpCodes.Ldloc, links);
        Emit(OpCodes.Add);
    }

    /// <summary>Pushes the number of the region as int64. An exported assembly has none.</summary>
    /// <param name="links">The local with the address of the region's links.</param>
    public virtual void EmitRegionNumber(int links)
    {
        EmitLocal(OpCodes.Ldloc, links);
        Emit(OpCodes.Ldc_I4, (int)System.Runtime.InteropServices.Marshal.OffsetOf<RegionLinks>(nameof(RegionLinks.Number)));
        Emit(OpCodes.Add);
        Emit(OpCodes.Ldind_I8);
    }

    /// <summary>ldobj or stobj.</summary>
    public abstract void EmitType(OpCode opcode, Type type);

    /// <summary>tail. calli of a method with the signature of a translation (its address is on the stack), then ret.</summary>
    public abstract void EmitTailJump();

    /// <summary>Says that what follows belongs to a guest instruction (its RIP), until the next call. Executing sinks ignore it.</summary>
    public virtual void BeginInstruction(ulong rip)
    {
    }

    /// <summary>Says that what follows belongs to no guest instruction: entries and exits.</summary>
    /// <param name="what">A word for the dump.</param>
    public virtual void BeginGlue(string what)
    {
    }
}
