using System.Runtime.Intrinsics;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Regions;

namespace DynaTrans.IlBackend.Emission;

/// <summary>
/// The locals of a region's method, by number: one for each slot and vector cell that the region uses, and those that the emitter works with.
/// </summary>
internal sealed class RegionLocals
{
    private readonly int[] _slots = new int[Slot.Count];
    private readonly int[] _vectors = new int[VSlot.Mm0];
    private readonly UsedSlots _used;

    public RegionLocals(IlSink il, UsedSlots used)
    {
        _used = used;
        for (ushort i = 0; i < Slot.Count; i++)
            _slots[i] = used.HasLocal(i) ? il.DeclareLocal(used.IsWide(i) ? typeof(long) : typeof(int), Slot.Name(i)) : -1;
        for (ushort i = 0; i < VSlot.Mm0; i++)
            _vectors[i] = used.HasVectorLocal(i) ? il.DeclareLocal(typeof(Vector128<byte>), VSlot.Name(i)) : -1;
        Ea = il.DeclareLocal(typeof(long), "ea");
        Page = il.DeclareLocal(typeof(long), "page");
        Value = il.DeclareLocal(typeof(long), "slow");
        Scratch = il.DeclareLocal(typeof(long), "scratch");
        Window = il.DeclareLocal(typeof(nint), "window");
        Memory = il.DeclareLocal(typeof(nint), "memory");
        Links = il.DeclareLocal(typeof(nint), "links");
        Site = il.DeclareLocal(typeof(long), "site");
        Count = il.DeclareLocal(typeof(long), "count");
        Cell = il.DeclareLocal(typeof(nint), "next");
        Product = il.DeclareLocal(typeof(long), "product");
        Entry = il.DeclareLocal(typeof(int), "entry");
    }

    /// <summary>Address of the access that is being tested; slow paths find it here.</summary>
    public int Ea { get; }

    /// <summary>Number of its page.</summary>
    public int Page { get; }

    /// <summary>A value on its way from one place to another; the address that control goes to when that is found at run time.</summary>
    public int Value { get; }

    /// <summary>A value within an op.</summary>
    public int Scratch { get; }

    /// <summary>Entry of the window of an access that looks it up.</summary>
    public int Window { get; }

    /// <summary>Host address of guest address 0, from the entry on.</summary>
    public int Memory { get; }

    /// <summary>Address of the region's links, from the entry on.</summary>
    public int Links { get; }

    /// <summary>What stands for the fault site, on an exit.</summary>
    public int Site { get; }

    /// <summary>Instructions executed since the entry; under a budget those that are left of it.</summary>
    public int Count { get; }

    /// <summary>The entry cell to go on at, on an exit.</summary>
    public int Cell { get; }

    /// <summary>A product of which two ops take a half each.</summary>
    public int Product { get; }

    /// <summary>Number of the entry to go to.</summary>
    public int Entry { get; }

    /// <summary>The local of a slot, or -1 when it is in the state.</summary>
    public int Of(ushort slot) => _slots[slot];

    /// <summary>The local of a vector cell below the MMX file, or -1 when the region does not use it.</summary>
    public int OfVector(ushort cell) => _vectors[cell];

    /// <summary>True when the local of a slot has 8 bytes, false when it has 4.</summary>
    public bool IsWide(ushort slot) => _used.IsWide(slot);
}
