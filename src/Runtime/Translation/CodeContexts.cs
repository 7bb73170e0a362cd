using DynaTrans.Frontend.Decoding;

namespace DynaTrans.Runtime.Translation;

/// <summary>
/// All that decides, besides the offset in the code segment, which translation stands for guest code. Code of one context never takes the
/// place of code of another, whatever their offsets.
/// </summary>
/// <param name="Mode">What decoding and lifting depend on.</param>
/// <param name="CodeBase">Base of CS; 0 in a flat mode.</param>
/// <param name="CodeLimit">Limit of CS, beyond which code cannot be fetched; 0 in a flat mode, which has none.</param>
/// <param name="AddressSpace">Which of the address spaces that the guest switches between.</param>
/// <param name="IsBudgeted">Translations count instructions and stop at a budget; those of runs without one need not.</param>
public readonly record struct CodeContext(GuestMode Mode, ulong CodeBase = 0, uint CodeLimit = 0, uint AddressSpace = 0, bool IsBudgeted = false);

/// <summary>
/// The code contexts of a block cache. Each has a number of 16 bits, which stands beside RIP wherever translations are looked up: so a guest
/// that goes back and forth between modes, code segments or address spaces finds in every cache what it has left there. The first one is 0,
/// for which translated code needs no instruction more: a process that stays in one flat mode has only that. Thread-safe.
/// </summary>
public sealed class CodeContexts
{
    /// <summary>Stands for a context without a number: nothing is ever found under it, and the dispatcher makes room.</summary>
    public const ushort None = ushort.MaxValue;

    private readonly Lock _gate = new();
    private readonly Dictionary<CodeContext, ushort> _numbers = [];

    /// <summary>How many have a number.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _numbers.Count;
        }
    }

    /// <summary>The contexts by their numbers.</summary>
    public CodeContext[] ToArray()
    {
        lock (_gate)
        {
            var all = new CodeContext[_numbers.Count];
            foreach (var (context, number) in _numbers)
                all[number] = context;
            return all;
        }
    }

    /// <summary>The number of a context, a new one if need be; <see cref="None"/> when all are given out.</summary>
    public ushort NumberOf(in CodeContext context)
    {
        lock (_gate)
        {
            if (_numbers.TryGetValue(context, out var number))
                return number;
            if (_numbers.Count == None)
                return None;
            number = (ushort)_numbers.Count;
            _numbers.Add(context, number);
            return number;
        }
    }

    /// <summary>Takes all numbers back if none is left. Everything that was kept under them has gone.</summary>
    internal void ClearIfFull()
    {
        lock (_gate)
            if (_numbers.Count == None)
                _numbers.Clear();
    }
}
