using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>Finds out whether the contents of an image file can be used as they are.</summary>
internal static unsafe class ImageCheck
{
    private const int Tables = 6 << 24;

    /// <summary>What is wrong, in one line; null when nothing is.</summary>
    public static string? Find(byte* file, long length)
    {
        if (length < sizeof(ImageHeader))
            return $"it has {length} bytes";
        var header = (ImageHeader*)file;
        if (header->Magic != ImageHeader.Signature)
            return "it is no image";
        if (header->Version != ImageHeader.CurrentVersion || header->FormSize != sizeof(FlagsForm))
            return $"it has format {header->Version}.{header->FormSize}, not {ImageHeader.CurrentVersion}.{sizeof(FlagsForm)}";
        if (header->Length != length)
            return $"it has {length} bytes instead of {header->Length}";
        var hash = XxHash128.HashToUInt128(new ReadOnlySpan<byte>(file + ImageHeader.Unhashed, (int)length - ImageHeader.Unhashed));
        if (hash != new UInt128(header->HashHigh, header->HashLow))
            return "its hash is wrong: it was damaged";
        return HasSections(header) && HasRows(file, header) ? null : "it contradicts itself";
    }

    private static bool HasSections(ImageHeader* header) =>
        Fits<byte>(header, header->Name) && Fits<ContextRow>(header, header->Contexts) && Fits<RegionRow>(header, header->Regions)
        && Fits<EntryRow>(header, header->Entries) && Fits<int>(header, header->Table) && Fits<RangeRow>(header, header->Ranges)
        && Fits<ulong>(header, header->Targets) && Fits<FlagsForm>(header, header->Forms) && Fits<SiteRow>(header, header->Sites)
        && Fits<AccessRow>(header, header->Accesses) && Fits<byte>(header, header->Bytes);

    private static bool Fits<T>(ImageHeader* header, Section section)
        where T : unmanaged =>
        section.Count >= 0 && section.Offset >= sizeof(ImageHeader) && section.Offset % 8 == 0
        && section.Offset + ((long)section.Count * Unsafe.SizeOf<T>()) <= header->Length;

    private static bool HasRows(byte* file, ImageHeader* header)
    {
        if (header->Contexts.Count >= CodeContexts.None || header->Access > (byte)AccessForm.Lookaside || !IsName(file, header->Name))
            return false;
        var regions = (RegionRow*)(file + header->Regions.Offset);
        for (var i = 0; i < header->Regions.Count; i++)
            if (!HasRegion(header, regions[i], file, i))
                return false;
        return HasTable(file, header) && HasRanges(file, header) && HasSites(file, header) && HasAccesses(file, header);
    }

    // A plain file name: the assembly lies beside the image.
    private static bool IsName(byte* file, Section section)
    {
        var name = Encoding.UTF8.GetString(file + section.Offset, section.Count);
        return name.Length is > 0 and < 256 && name == Path.GetFileName(name) && name is not ("." or "..") && !name.Contains('\0');
    }

    private static bool HasRegion(ImageHeader* header, in RegionRow row, byte* file, int index)
    {
        if (row.Context >= header->Contexts.Count || row.EntryCount < 1 || row.RangeCount < 1 || row.Method >> 24 != Tables >> 24
            || !IsWithin(row.FirstEntry, row.EntryCount, header->Entries) || !IsWithin(row.FirstRange, row.RangeCount, header->Ranges)
            || !IsWithin(row.FirstTarget, row.TargetCount, header->Targets) || !IsWithin(row.FirstSite, row.SiteCount, header->Sites))
            return false;
        var entries = (EntryRow*)(file + header->Entries.Offset);
        for (var i = 0; i < row.EntryCount; i++)
            if (entries[row.FirstEntry + i].Region != index || entries[row.FirstEntry + i].Context != row.Context)
                return false;
        var ranges = (RangeRow*)(file + header->Ranges.Offset);
        long bytes = 0;
        for (var i = 0; i < row.RangeCount; i++)
            bytes += ranges[row.FirstRange + i].Length;
        return bytes == row.ByteCount;
    }

    private static bool IsWithin(int first, int count, Section section) => first >= 0 && count >= 0 && (long)first + count <= section.Count;

    // A search in the table ends, and so does a walk along a chain.
    private static bool HasTable(byte* file, ImageHeader* header)
    {
        var entries = (EntryRow*)(file + header->Entries.Offset);
        for (var i = 0; i < header->Entries.Count; i++)
        {
            ref readonly var entry = ref entries[i];
            if (entry.Region < 0 || entry.Region >= header->Regions.Count || (entry.Next != -1 && (entry.Next <= i || entry.Next >= header->Entries.Count)))
                return false;
        }

        if (!BitOperations.IsPow2(header->Table.Count))
            return false;
        var free = 0;
        var table = (int*)(file + header->Table.Offset);
        for (var i = 0; i < header->Table.Count; i++)
        {
            if (table[i] < -1 || table[i] >= header->Entries.Count)
                return false;
            free += table[i] == -1 ? 1 : 0;
        }

        return free > 0;
    }

    private static bool HasRanges(byte* file, ImageHeader* header)
    {
        var ranges = (RangeRow*)(file + header->Ranges.Offset);
        for (var i = 0; i < header->Ranges.Count; i++)
            if (ranges[i].Length < 1 || !IsWithin(ranges[i].Bytes, ranges[i].Length, header->Bytes) || ranges[i].Linear + (ulong)ranges[i].Length < ranges[i].Linear)
                return false;
        return true;
    }

    private static bool HasSites(byte* file, ImageHeader* header)
    {
        var sites = (SiteRow*)(file + header->Sites.Offset);
        for (var i = 0; i < header->Sites.Count; i++)
            if (sites[i].Form < 0 || sites[i].Form >= header->Forms.Count || sites[i].IsBeforeLoop > 1)
                return false;
        var forms = (FlagsForm*)(file + header->Forms.Offset);
        for (var i = 0; i < header->Forms.Count; i++)
        {
            ref readonly var form = ref forms[i];
            if (form.Base > FlagsBase.Described || form.SizeLog2 > 3 || form.LayerSizeLog2 > 3 || form.Layer > FlagsLayer.Carry)
                return false;
            for (var part = 0; part < 6; part++)
                if (form.Part(part).Slot >= Slot.Count)
                    return false;
        }

        return true;
    }

    private static bool HasAccesses(byte* file, ImageHeader* header)
    {
        var accesses = (AccessRow*)(file + header->Accesses.Offset);
        for (var i = 0; i < header->Accesses.Count; i++)
            if (accesses[i].Context >= header->Contexts.Count || accesses[i].History > (byte)AccessHistory.Slow)
                return false;
        return true;
    }
}
