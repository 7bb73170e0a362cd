using System.Runtime.InteropServices;
using System.Text;
using DynaTrans.Frontend.Decoding;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// An image file in memory. Whatever it says of offsets and indices is within bounds: that is checked when it is opened, and only then.
/// Immutable, and alive as long as it is referenced.
/// </summary>
public sealed unsafe class PrecompiledImageView
{
    private readonly byte* _file;
    private readonly ImageHeader* _header;
    private readonly int _tableMask;

    private PrecompiledImageView(byte* file)
    {
        _file = file;
        _header = (ImageHeader*)file;
        _tableMask = _header->Table.Count - 1;
        Contexts = [.. Rows<ContextRow>(_header->Contexts).ToArray().Select(row =>
            new CodeContext((GuestMode)row.Mode, row.CodeBase, row.CodeLimit, row.AddressSpace, row.IsBudgeted != 0))];
        Assembly = Encoding.UTF8.GetString(Rows<byte>(_header->Name));
    }

    /// <summary>Frees the memory.</summary>
    ~PrecompiledImageView() => NativeMemory.Free(_file);

    /// <summary>Name of the assembly's file, in the same directory: no path.</summary>
    public string Assembly { get; }

    /// <summary>XxHash128 of that file.</summary>
    public UInt128 AssemblyHash => new(_header->AssemblyHashHigh, _header->AssemblyHashLow);

    /// <summary>The kind of address space that the code is for.</summary>
    public PrecompiledForm Form => new(_header->WindowPages, _header->PermissionsOffset, (AccessForm)_header->Access, _header->IsPaged != 0);

    /// <summary>Code contexts by number.</summary>
    public IReadOnlyList<CodeContext> Contexts { get; }

    /// <summary>What was known of accesses.</summary>
    public IReadOnlyList<RecordedAccess> Accesses
    {
        get
        {
            var all = new RecordedAccess[_header->Accesses.Count];
            for (var i = 0; i < all.Length; i++)
                all[i] = Access(i);
            return all;
        }
    }

    /// <summary>Number of regions.</summary>
    public int RegionCount => _header->Regions.Count;

    /// <summary>Opens an image file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="reason">Why it cannot be used, in one line without the path.</param>
    /// <returns>Null when it does not exist, cannot be read, or is not as it was written.</returns>
    public static PrecompiledImageView? Open(string path, out string? reason)
    {
        try
        {
            using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
            var length = RandomAccess.GetLength(file);
            if (length < sizeof(ImageHeader) || length > int.MaxValue)
            {
                reason = $"it has {length} bytes";
                return null;
            }

            var memory = (byte*)NativeMemory.Alloc((nuint)length);
            var done = 0;
            while (done < length && RandomAccess.Read(file, new Span<byte>(memory + done, (int)length - done), done) is var count and > 0)
                done += count;
            return Take(memory, done, out reason);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException or ArgumentException or NotSupportedException)
        {
            reason = e.Message.ReplaceLineEndings(" ");
            return null;
        }
    }

    /// <summary>Opens the contents of an image file.</summary>
    /// <param name="contents">The contents, which are copied.</param>
    /// <param name="reason">Why it cannot be used, in one line.</param>
    public static PrecompiledImageView? Open(ReadOnlySpan<byte> contents, out string? reason)
    {
        var memory = (byte*)NativeMemory.Alloc((nuint)Math.Max(1, contents.Length));
        contents.CopyTo(new Span<byte>(memory, contents.Length));
        return Take(memory, contents.Length, out reason);
    }

    /// <summary>The first entry at an address; -1 when there is none.</summary>
    internal int FindEntry(ulong rip, ushort context)
    {
        var table = (int*)(_file + _header->Table.Offset);
        for (var at = (int)PrecompiledImageFile.Hash(rip, context) & _tableMask; ; at = (at + 1) & _tableMask)
        {
            var index = table[at];
            if (index < 0)
                return -1;
            ref readonly var entry = ref Entry(index);
            if (entry.Start == rip && entry.Context == context)
                return index;
        }
    }

    /// <summary>The number of a region's entry at an address; -1 when it has none there.</summary>
    internal int EntryNumber(int region, ulong rip)
    {
        for (var i = FindEntry(rip, Region(region).Context); i >= 0; i = Entry(i).Next)
            if (Entry(i).Region == region)
                return Entry(i).Number;
        return -1;
    }

    internal ref readonly EntryRow Entry(int index) => ref ((EntryRow*)(_file + _header->Entries.Offset))[index];

    internal ref readonly RegionRow Region(int index) => ref ((RegionRow*)(_file + _header->Regions.Offset))[index];

    /// <summary>The entries of a region.</summary>
    internal ReadOnlySpan<EntryRow> Entries(int region) =>
        Rows<EntryRow>(_header->Entries).Slice(Region(region).FirstEntry, Region(region).EntryCount);

    /// <summary>The cells that a region jumps to.</summary>
    internal ReadOnlySpan<ulong> Targets(int region) =>
        Rows<ulong>(_header->Targets).Slice(Region(region).FirstTarget, Region(region).TargetCount);

    /// <summary>The code of a region; the bytes stay where they are as long as the image.</summary>
    /// <param name="region">The region.</param>
    /// <param name="ranges">Is filled in; long enough.</param>
    internal ReadOnlySpan<CodeRange> Ranges(int region, CodeRange[] ranges)
    {
        ref readonly var row = ref Region(region);
        var bytes = _file + _header->Bytes.Offset;
        for (var i = 0; i < row.RangeCount; i++)
        {
            ref readonly var range = ref ((RangeRow*)(_file + _header->Ranges.Offset))[row.FirstRange + i];
            ranges[i] = new CodeRange { Linear = range.Linear, Bytes = bytes + range.Bytes, Length = range.Length };
        }

        return ranges.AsSpan(0, row.RangeCount);
    }

    /// <summary>Links for a region; the caller's. The cells are to be filled in.</summary>
    /// <param name="region">The region.</param>
    /// <param name="code">Its host code.</param>
    internal RegionLinks* NewLinks(int region, nint code)
    {
        ref readonly var row = ref Region(region);
        var links = RegionLinks.New(code, row.SiteCount, row.TargetCount);
        var forms = (FlagsForm*)(_file + _header->Forms.Offset);
        var sites = (SiteRow*)(_file + _header->Sites.Offset) + row.FirstSite;
        for (var i = 0; i < row.SiteCount; i++)
            *RegionLinks.Site(links, i) = new FaultSite
            {
                Rip = sites[i].Rip,
                Flags = forms[sites[i].Form],
                NotExecuted = sites[i].NotExecuted,
                IsBeforeLoop = (byte)sites[i].IsBeforeLoop,
            };
        return links;
    }

    private static PrecompiledImageView? Take(byte* memory, long length, out string? reason)
    {
        reason = ImageCheck.Find(memory, length);
        if (reason == null)
            return new PrecompiledImageView(memory);
        NativeMemory.Free(memory);
        return null;
    }

    private RecordedAccess Access(int index)
    {
        ref readonly var row = ref Rows<AccessRow>(_header->Accesses)[index];
        return new RecordedAccess(row.Context, row.Rip, (AccessHistory)row.History, row.IsLoopRefused != 0);
    }

    private ReadOnlySpan<T> Rows<T>(Section section)
        where T : unmanaged => new(_file + section.Offset, section.Count);
}
