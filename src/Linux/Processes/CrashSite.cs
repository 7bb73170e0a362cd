using DynaTrans.Linux.Files;
using DynaTrans.Linux.Host;
using DynaTrans.Linux.Loading;
using DynaTrans.Linux.Memory;
using DynaTrans.Linux.Signals;

namespace DynaTrans.Linux.Processes;

/// <summary>Says what lies where a fault ended a program: the bytes of an illegal instruction, the nearest symbol.</summary>
internal static class CrashSite
{
    private const int MaxInstruction = 15;

    /// <summary>
    /// ", opcode bytes 0f 0b ..., in main+0x12 (/bin/x)", or as much of it as there is to say; "near" instead of "in" when the nearest symbol's
    /// function ends before the address.
    /// </summary>
    /// <param name="memory">The memory, while it is there.</param>
    /// <param name="address">RIP.</param>
    /// <param name="signal">The signal that ended the program.</param>
    public static string Describe(ProcessMemory memory, ulong address, int signal)
    {
        if (signal is not (Signal.Ill or Signal.Segv or Signal.Bus or Signal.Fpe or Signal.Trap or Signal.Abrt))
            return string.Empty;
        var text = string.Empty;
        if (signal == Signal.Ill)
        {
            Span<byte> bytes = stackalloc byte[MaxInstruction];
            var read = memory.Space.Read(address, bytes);
            if (read > 0)
                text = $", opcode bytes {string.Join(' ', bytes[..read].ToArray().Select(b => b.ToString("x2")))}";
        }

        var area = memory.FindArea(address);
        if (area == null)
            return text;
        if (area.File is not { } file || !file.TryAddReference())
            return area.Name.Length == 0 ? text : $"{text}, in {HostCalls.ToText(area.Name)}";
        using (new FileRef(file))
            return $"{text}, {Symbol(file, area.Offset + (address - area.Start))} ({HostCalls.ToText(area.Name)})";
    }

    // The symbol at or before a place of a file, as "in name+0x10"; without symbols the place itself.
    private static string Symbol(OpenFile file, ulong offset)
    {
        var place = $"in +0x{offset:x}";
        try
        {
            Span<byte> head = stackalloc byte[ElfFile.HeadSize];
            var read = HostCalls.ReadAt(file.HostFd, head, 0);
            if (read <= 0)
                return place;
            head = head[..(int)read];
            var elf = ElfFile.Read(file, head);
            foreach (var segment in elf.Segments)
            {
                if (offset < segment.Offset || offset - segment.Offset >= segment.FileSize)
                    continue;
                var address = segment.Address + (offset - segment.Offset);
                var nearest = ElfSymbols.Read(elf, head).LastOrDefault(symbol => symbol.Address >= segment.Address && symbol.Address <= address);
                if (nearest.Name == null)
                    continue;
                var distance = address - nearest.Address;
                var word = nearest.Size == 0 || distance < nearest.Size ? "in" : "near";
                return distance == 0 ? $"in {nearest.Name}" : $"{word} {nearest.Name}+0x{distance:x}";
            }
        }
        catch (LoadException)
        {
            return place;
        }

        return place;
    }
}
