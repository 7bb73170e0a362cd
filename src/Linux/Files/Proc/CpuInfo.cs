using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.Runtime.Helpers;

namespace DynaTrans.Linux.Files.Proc;

/// <summary>/proc/cpuinfo of the modelled CPU (Linux arch/x86/kernel/cpu/proc.c), from what cpuid says.</summary>
internal static class CpuInfo
{
    /// <summary>The text, for as many processors as the host has.</summary>
    public static string Text()
    {
        var processors = Math.Max(1, File.ReadLines("/proc/cpuinfo").Count(line => line.StartsWith("processor", StringComparison.Ordinal)));
        var signature = Processor.Leaf(1, 0, true).Eax;
        var sizes = Processor.Leaf(0x80000008, 0, true).Eax;
        var flags = string.Join(' ', CpuModel.Process.Features.Where(f => f.IsPresent).Select(f => f.Name));
        var text = new StringBuilder();
        for (var i = 0; i < processors; i++)
            text.Append(CultureInfo.InvariantCulture, $"""
                processor	: {i}
                vendor_id	: {Vendor()}
                cpu family	: {signature >> 8 & 15}
                model		: {(signature >> 12 & 0xF0) | (signature >> 4 & 15)}
                model name	: {ModelName()}
                stepping	: {signature & 15}
                cpu MHz		: 1000.000
                cache size	: 8192 KB
                physical id	: 0
                siblings	: {processors}
                core id		: {i}
                cpu cores	: {processors}
                apicid		: {i}
                initial apicid	: {i}
                fpu		: yes
                fpu_exception	: yes
                cpuid level	: {Processor.Leaf(0, 0, true).Eax}
                wp		: yes
                flags		: {flags}
                bugs		:
                bogomips	: 2000.00
                clflush size	: 64
                cache_alignment	: 64
                address sizes	: {sizes & 0xFF} bits physical, {sizes >> 8 & 0xFF} bits virtual
                power management:


                """);
        return text.ToString();
    }

    private static string Vendor()
    {
        var (_, b, c, d) = Processor.Leaf(0, 0, true);
        return Ascii(b, d, c);
    }

    private static string ModelName()
    {
        var name = "";
        for (var leaf = 0x80000002; leaf <= 0x80000004; leaf++)
        {
            var (a, b, c, d) = Processor.Leaf(leaf, 0, true);
            name += Ascii(a, b, c, d);
        }

        return name.TrimEnd('\0');
    }

    private static string Ascii(params ReadOnlySpan<uint> words)
    {
        Span<byte> bytes = stackalloc byte[words.Length * 4];
        for (var i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(i * 4)..], words[i]);
        return Encoding.ASCII.GetString(bytes);
    }
}
