using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using DynaTrans.Runtime.State;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.Runtime.Interpretation;

/// <summary>
/// The calls that the interpreter has executed last, by which a return finds the block to go on with: the caller's link to what lies behind it. It is a guess:
/// whoever looks here compares the address.
/// </summary>
internal unsafe struct ReturnStack
{
    /// <summary>Entries; older ones are overwritten.</summary>
    public const int Count = 64;

    // Entries that a return which does not match the top looks at: calls have been left in between without a return seen here.
    private const int Searched = 8;

    private ulong _top;

    /// <summary>Allocates an empty stack in unmanaged memory.</summary>
    public static ReturnStack* Allocate()
    {
        var stack = (ReturnStack*)NativeMemory.AllocZeroed((nuint)(sizeof(ReturnStack) + (Count * sizeof(Entry))));
        Clear(stack);
        return stack;
    }

    /// <summary>Empties it.</summary>
    public static void Clear(ReturnStack* stack)
    {
        for (var i = 0; i < Count; i++)
            Entries(stack)[i] = new Entry { Caller = ThreadedBlock.None };
    }

    /// <summary>Notes a call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Push(CpuState* s, ThreadedBlock* caller, ulong address)
    {
        var stack = (ReturnStack*)s->Execution.ReturnStack;
        var top = (stack->_top + 1) % Count;
        stack->_top = top;
        Entries(stack)[top].Address = address;
        Entries(stack)[top].Caller = caller;
    }

    /// <summary>The block that a return to an address leads to, or <see cref="ThreadedBlock.None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ThreadedBlock* Find(CpuState* s, ulong address)
    {
        var stack = (ReturnStack*)s->Execution.ReturnStack;
        var entry = Entries(stack) + stack->_top;
        return entry->Address == address && entry->Caller->Context == s->Execution.CodeContext ? entry->Caller->NextLink : ThreadedBlock.None;
    }

    /// <summary>Drops the call that a return belonged to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pop(CpuState* s)
    {
        var stack = (ReturnStack*)s->Execution.ReturnStack;
        stack->_top = (stack->_top - 1) % Count;
    }

    /// <summary>After a return that found nothing: the caller, which is dropped; null when it is not known.</summary>
    public static ThreadedBlock* PopCaller(CpuState* s, ulong address)
    {
        var stack = (ReturnStack*)s->Execution.ReturnStack;
        for (var i = 0UL; i < Searched; i++)
        {
            var entry = Entries(stack) + ((stack->_top - i) % Count);
            if (entry->Address != address || entry->Caller->Block == null)
                continue;
            stack->_top = (stack->_top - i - 1) % Count;
            return entry->Caller;
        }

        return null;
    }

    private static Entry* Entries(ReturnStack* stack) => (Entry*)(stack + 1);

    private struct Entry
    {
        public ulong Address;
        public ThreadedBlock* Caller;
    }
}
