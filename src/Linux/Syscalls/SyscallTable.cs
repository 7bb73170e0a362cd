namespace DynaTrans.Linux.Syscalls;

/// <summary>
/// The system calls: one implementation each, entered into the table of each interface that has it. A family is a static class with a
/// <c>Register(SyscallTable table)</c> method, listed in <see cref="SyscallFamilies"/>.
/// </summary>
public sealed unsafe class SyscallTable
{
    private readonly Entry?[][] _entries = [new Entry?[512], new Entry?[512]];

    /// <summary>The table with all families, shared by all guests (immutable after it was built).</summary>
    public static SyscallTable Default { get; } = Build();

    /// <summary>Enters one system call.</summary>
    /// <param name="name">Its name, as strace prints it.</param>
    /// <param name="method">The implementation: returns the result or a negative error number.</param>
    /// <param name="arguments">
    /// One letter per argument, for strace: d int, u unsigned, l long, x hexadecimal, p pointer, s string (a path), o octal (a mode),
    /// f descriptor, b buffer (its length is the next argument), n signal.
    /// </param>
    /// <param name="i386">Number for i386, or -1.</param>
    /// <param name="x64">Number for x86-64, or -1.</param>
    public void Add(string name, delegate*<in SyscallContext, long> method, string arguments, int i386 = -1, int x64 = -1)
    {
        var entry = new Entry(name, method, arguments);
        if (i386 >= 0)
            Enter(Abi.I386, i386, entry);
        if (x64 >= 0)
            Enter(Abi.X64, x64, entry);
    }

    /// <summary>The entry for a number, or null.</summary>
    public Entry? Find(Abi abi, ulong number)
    {
        var table = _entries[(int)abi];
        return number < (ulong)table.Length ? table[number] : null;
    }

    /// <summary>Every entry with its number.</summary>
    public IEnumerable<(int Number, Entry Entry)> All(Abi abi) =>
        _entries[(int)abi].Select((entry, number) => (number, entry)).Where(e => e.entry != null).Select(e => (e.number, e.entry!));

    private static SyscallTable Build()
    {
        var table = new SyscallTable();
        SyscallFamilies.Register(table);
        return table;
    }

    private void Enter(Abi abi, int number, Entry entry)
    {
        ref var slot = ref _entries[(int)abi][number];
        if (slot != null)
            throw new InvalidOperationException($"{abi} system call {number} is entered twice: {slot.Name} and {entry.Name}");
        slot = entry;
    }

    /// <summary>One system call.</summary>
    public sealed class Entry(string name, delegate*<in SyscallContext, long> method, string arguments)
    {
        /// <summary>Name.</summary>
        public string Name => name;

        /// <summary>Argument letters; see <see cref="Add"/>.</summary>
        public string Arguments => arguments;

        /// <summary>Makes the call.</summary>
        public long Invoke(in SyscallContext c) => method(in c);
    }
}
