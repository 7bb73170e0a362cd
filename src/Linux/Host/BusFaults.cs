using System.Runtime.InteropServices;
using DynaTrans.Runtime.Helpers;
using DynaTrans.Runtime.Host;

namespace DynaTrans.Linux.Host;

/// <summary>
/// SIGBUS in the host: an access to a page of a file mapping behind the end of its file. Guests are kept from such pages by their
/// permissions; the host still meets one when a file became shorter without any guest's doing, in the moment before a guest's own truncation
/// is known everywhere, and when a file system is full. The handler is machine code: it puts a zero page there, so that the access ends, and if
/// the thread is a guest's, notes the address and makes the thread leave translated code, so that the guest gets its SIGBUS.
/// </summary>
internal static unsafe class BusFaults
{
    internal const int Signal = 7;
    internal const int TableAt = 0x45;

    // More threads than a host allows a process: beyond it a thread gets no signal, and reads zeros.
    private const int MaxThreads = 1 << 15;

    private static readonly object s_gate = new();
    private static Slot* s_slots;
    private static int s_used;

    // (signal, info, context). The table's first word is the address behind the last slot in use; a slot has 32 bytes.
    internal static ReadOnlySpan<byte> Code =>
    [
        0x83, 0x7E, 0x08, 0x02,                         // cmp dword [rsi + 8], BUS_ADRERR
        0x75, 0x6F,                                     // jne other
        0x56,                                           // push rsi
        0x48, 0x8B, 0x7E, 0x10,                         // mov rdi, [rsi + 16]
        0x48, 0x81, 0xE7, 0x00, 0xF0, 0xFF, 0xFF,       // and rdi, -4096
        0xBE, 0x00, 0x10, 0x00, 0x00,                   // mov esi, 4096
        0xBA, 0x03, 0x00, 0x00, 0x00,                   // mov edx, PROT_READ | PROT_WRITE
        0x41, 0xBA, 0x32, 0x00, 0x00, 0x00,             // mov r10d, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
        0x49, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF,       // mov r8, -1
        0x45, 0x31, 0xC9,                               // xor r9d, r9d
        0xB8, 0x09, 0x00, 0x00, 0x00,                   // mov eax, mmap
        0x0F, 0x05,                                     // syscall
        0x48, 0x3D, 0x01, 0xF0, 0xFF, 0xFF,             // cmp rax, -4095
        0x73, 0x3A,                                     // jae other
        0xB8, 0xBA, 0x00, 0x00, 0x00,                   // mov eax, gettid
        0x0F, 0x05,                                     // syscall
        0x5E,                                           // pop rsi
        0x48, 0xB9, 0, 0, 0, 0, 0, 0, 0, 0,             // mov rcx, table
        0x48, 0x8B, 0x11,                               // mov rdx, [rcx]
        0x48, 0x83, 0xC1, 0x20,                         // next: add rcx, 32
        0x48, 0x39, 0xD1,                               // cmp rcx, rdx
        0x73, 0x1B,                                     // jae end
        0x39, 0x01,                                     // cmp [rcx], eax
        0x75, 0xF3,                                     // jne next
        0x48, 0x83, 0x79, 0x08, 0x00,                   // cmp qword [rcx + 8], 0
        0x75, 0x10,                                     // jne end
        0x48, 0x8B, 0x46, 0x10,                         // mov rax, [rsi + 16]
        0x48, 0x89, 0x41, 0x08,                         // mov [rcx + 8], rax
        0x48, 0x8B, 0x49, 0x10,                         // mov rcx, [rcx + 16]
        0xF0, 0x83, 0x09, 0x01,                         // lock or dword [rcx], 1
        0xC3,                                           // end: ret
        0xB8, 0xE7, 0x00, 0x00, 0x00,                   // other: mov eax, exit_group
        0xBF, 0x87, 0x00, 0x00, 0x00,                   // mov edi, 128 + 7
        0x0F, 0x05,                                     // syscall
    ];

    /// <summary>Makes the handler, once. Returns its address.</summary>
    public static nint Publish()
    {
        s_slots = (Slot*)NativeMemory.AllocZeroed(MaxThreads, (nuint)sizeof(Slot));
        *(Slot**)s_slots = s_slots + 1;
        var code = Code.ToArray();
        MemoryMarshal.Write(code.AsSpan(TableAt), (nint)s_slots);
        return NativeCode.Publish("surviving a truncated file", code);
    }

    /// <summary>Makes the calling thread a guest's.</summary>
    /// <param name="exitRequest">The word whose lowest bit makes the thread leave guest code.</param>
    /// <returns>Its slot; null when there are too many threads.</returns>
    public static Slot* Attach(int* exitRequest)
    {
        lock (s_gate)
        {
            if (s_slots == null)
                return null;
            var i = 1;
            while (i <= s_used && s_slots[i].Thread != 0)
                i++;
            if (i >= MaxThreads)
                return null;
            s_slots[i].ExitRequest = exitRequest;
            s_slots[i].Address = 0;
            Volatile.Write(ref s_slots[i].Thread, Interruption.CurrentThread);
            s_used = Math.Max(s_used, i);
            Volatile.Write(ref *(nint*)s_slots, (nint)(s_slots + s_used + 1));
            return s_slots + i;
        }
    }

    /// <summary>The calling thread is a guest's no more.</summary>
    public static void Detach(Slot* slot)
    {
        if (slot != null)
            Volatile.Write(ref slot->Thread, 0);
    }

    /// <summary>What the handler knows about a guest thread. The offsets are in its code.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 32)]
    internal struct Slot
    {
        /// <summary>Number of the host thread, or 0.</summary>
        public int Thread;

        /// <summary>Host address of the first fault that has not been looked at, or 0.</summary>
        public nuint Address;

        /// <summary>The word whose lowest bit makes the thread leave guest code.</summary>
        public int* ExitRequest;
    }
}
