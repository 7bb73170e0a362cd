using System.Runtime.InteropServices;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// The targets that the interpreter has seen an indirect jump or call go to: what the region builder needs to keep a jump table or a
/// virtual call inside a region. An open-addressing set in unmanaged memory that only grows; vCPUs add to it without a lock, and one that
/// meets another loses at most its entry.
/// </summary>
public unsafe struct IndirectTargets
{
    private const uint FirstCapacity = 8;
    private const uint MaxCapacity = 512;

    private uint _capacity;
    private uint _count;

    /// <summary>Bytes of a set with so many places.</summary>
    private static nuint SizeOf(uint capacity) => (nuint)sizeof(IndirectTargets) + (capacity * sizeof(ulong));

    /// <summary>The targets.</summary>
    public static ulong[] ToArray(IndirectTargets* set)
    {
        if (set == null)
            return [];
        var all = new List<ulong>();
        for (var i = 0u; i < set->_capacity; i++)
            if (Places(set)[i] != 0)
                all.Add(Places(set)[i]);
        return [.. all];
    }

    /// <summary>True when the target is in the set. Address 0 is never kept.</summary>
    public static bool Contains(IndirectTargets* set, ulong target)
    {
        if (set == null)
            return false;
        var mask = set->_capacity - 1;
        for (var i = Hash(target) & mask; ; i = (i + 1) & mask)
        {
            var at = Places(set)[i];
            if (at == target)
                return true;
            if (at == 0)
                return false;
        }
    }

    /// <summary>The set with a target in it: the same one, or a larger one that takes its place. Full sets stay as they are.</summary>
    /// <param name="set">The set, or null.</param>
    /// <param name="target">The target.</param>
    /// <param name="memory">Gives memory for a new set; it lives as long as the block that owns the set.</param>
    public static IndirectTargets* With(IndirectTargets* set, ulong target, Func<int, nint> memory)
    {
        if (target == 0 || Contains(set, target))
            return set;

        // Never more than three quarters full, so that a search always ends.
        if (set != null && (set->_count + 1) * 4 <= set->_capacity * 3)
        {
            Insert(set, target);
            return set;
        }

        var capacity = set == null ? FirstCapacity : set->_capacity * 4;
        if (capacity > MaxCapacity)
            return set;
        var larger = (IndirectTargets*)memory((int)SizeOf(capacity));
        NativeMemory.Clear(larger, SizeOf(capacity));
        larger->_capacity = capacity;
        foreach (var old in ToArray(set))
            Insert(larger, old);
        Insert(larger, target);
        return larger;
    }

    private static void Insert(IndirectTargets* set, ulong target)
    {
        var mask = set->_capacity - 1;
        var i = Hash(target) & mask;
        while (Places(set)[i] != 0)
            i = (i + 1) & mask;
        set->_count++;
        Volatile.Write(ref Places(set)[i], target);
    }

    private static ulong* Places(IndirectTargets* set) => (ulong*)(set + 1);

    private static uint Hash(ulong target) => (uint)((target * 0x9E3779B97F4A7C15) >> 40);
}
