using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using DynaTrans.Runtime.Translation;

namespace DynaTrans.IlBackend.Precompiled;

/// <summary>
/// Image files: a header, then flat arrays, which are used as they are (<see cref="PrecompiledImageView"/>). The hash says that a file is what
/// was written, not who wrote it: the directory must be its owner's.
/// </summary>
public static unsafe class PrecompiledImageFile
{
    /// <summary>Writes an image.</summary>
    /// <param name="stream">Receives it.</param>
    /// <param name="image">The image.</param>
    /// <exception cref="ArgumentException">The image is too large for a file, or contradicts itself.</exception>
    public static void Write(Stream stream, PrecompiledImage image)
    {
        var writer = new Writer();
        stream.Write(writer.Make(image));
    }

    /// <summary>Where a pair of address and context is looked for first.</summary>
    internal static uint Hash(ulong rip, ushort context) => (uint)(((rip ^ ((ulong)context << 48)) * 0x9E3779B97F4A7C15) >> 32);

    private sealed class Writer
    {
        private readonly List<EntryRow> _entries = [];
        private readonly List<RegionRow> _regions = [];
        private readonly List<RangeRow> _ranges = [];
        private readonly List<ulong> _targets = [];
        private readonly List<SiteRow> _sites = [];
        private readonly List<FlagsForm> _forms = [];
        private readonly Dictionary<FlagsForm, int> _formIndices = [];
        private readonly MemoryStream _bytes = new();
        private readonly MemoryStream _file = new();

        public byte[] Make(PrecompiledImage image)
        {
            foreach (var region in image.Regions)
                Add(region, image.Contexts.Count);
            var table = MakeTable();
            var header = new ImageHeader
            {
                Magic = ImageHeader.Signature,
                Version = ImageHeader.CurrentVersion,
                FormSize = (uint)sizeof(FlagsForm),
                AssemblyHashLow = (ulong)image.AssemblyHash,
                AssemblyHashHigh = (ulong)(image.AssemblyHash >> 64),
                WindowPages = image.Form.WindowPages,
                PermissionsOffset = image.Form.PermissionsOffset,
                Access = (byte)image.Form.Access,
                IsPaged = image.Form.IsPaged ? (byte)1 : (byte)0,
            };
            _file.SetLength(sizeof(ImageHeader));
            _file.Position = sizeof(ImageHeader);
            header.Name = Put<byte>(Encoding.UTF8.GetBytes(image.Assembly));
            header.Contexts = Put<ContextRow>([.. image.Contexts.Select(RowOf)]);
            header.Regions = Put<RegionRow>(CollectionsMarshal.AsSpan(_regions));
            header.Entries = Put<EntryRow>(CollectionsMarshal.AsSpan(_entries));
            header.Table = Put<int>(table);
            header.Ranges = Put<RangeRow>(CollectionsMarshal.AsSpan(_ranges));
            header.Targets = Put<ulong>(CollectionsMarshal.AsSpan(_targets));
            header.Forms = Put<FlagsForm>(CollectionsMarshal.AsSpan(_forms));
            header.Sites = Put<SiteRow>(CollectionsMarshal.AsSpan(_sites));
            header.Accesses = Put<AccessRow>([.. image.Accesses.Select(RowOf)]);
            header.Bytes = Put<byte>(_bytes.ToArray());
            header.Length = _file.Length;
            var file = _file.ToArray();
            MemoryMarshal.Write(file, header);
            var hash = XxHash128.HashToUInt128(file.AsSpan(ImageHeader.Unhashed));
            (header.HashLow, header.HashHigh) = ((ulong)hash, (ulong)(hash >> 64));
            MemoryMarshal.Write(file, header);
            return file;
        }

        private static ContextRow RowOf(CodeContext context) => new()
        {
            Mode = (ushort)context.Mode,
            CodeBase = context.CodeBase,
            CodeLimit = context.CodeLimit,
            AddressSpace = context.AddressSpace,
            IsBudgeted = context.IsBudgeted ? (ushort)1 : (ushort)0,
        };

        private static AccessRow RowOf(RecordedAccess access) => new()
        {
            Rip = access.Rip,
            Context = access.Context,
            History = (byte)access.History,
            IsLoopRefused = access.IsLoopRefused ? (byte)1 : (byte)0,
        };

        private void Add(PrecompiledRegion region, int contexts)
        {
            if (region.Context >= contexts || region.Entries.Count == 0 || region.Ranges.Count == 0)
                throw new ArgumentException($"region with method 0x{region.Method:x}: context {region.Context}, {region.Entries.Count} entries, {region.Ranges.Count} ranges");
            var row = new RegionRow
            {
                Method = region.Method,
                Context = region.Context,
                FirstEntry = _entries.Count,
                EntryCount = region.Entries.Count,
                FirstRange = _ranges.Count,
                RangeCount = region.Ranges.Count,
                FirstTarget = _targets.Count,
                TargetCount = region.Targets.Count,
                FirstSite = _sites.Count,
                SiteCount = region.Sites.Count,
            };
            foreach (var entry in region.Entries)
                _entries.Add(new EntryRow { Start = entry.Start, Region = _regions.Count, Next = -1, Number = entry.Number, Context = region.Context });
            foreach (var range in region.Ranges)
            {
                _ranges.Add(new RangeRow { Linear = range.Linear, Bytes = checked((int)_bytes.Length), Length = range.Bytes.Length });
                _bytes.Write(range.Bytes);
                row.ByteCount += range.Bytes.Length;
            }

            _targets.AddRange(region.Targets);
            foreach (var site in region.Sites)
                _sites.Add(RowOf(site));
            _regions.Add(row);
        }

        private SiteRow RowOf(FaultSite site)
        {
            if (!_formIndices.TryGetValue(site.Flags, out var form))
            {
                _formIndices[site.Flags] = form = _forms.Count;
                _forms.Add(site.Flags);
            }

            return new SiteRow { Rip = site.Rip, Form = form, NotExecuted = checked((ushort)site.NotExecuted), IsBeforeLoop = site.IsBeforeLoop };
        }

        // Open addressing, at most half full. The entries of an address are in a chain, the first one first.
        private int[] MakeTable()
        {
            var table = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, _entries.Count * 2))];
            Array.Fill(table, -1);
            var last = new Dictionary<(ulong, ushort), int>();
            var entries = CollectionsMarshal.AsSpan(_entries);
            for (var i = 0; i < entries.Length; i++)
            {
                ref var entry = ref entries[i];
                var key = (entry.Start, entry.Context);
                if (last.TryGetValue(key, out var before))
                {
                    entries[before].Next = i;
                }
                else
                {
                    var at = Hash(entry.Start, entry.Context) & (uint)(table.Length - 1);
                    while (table[at] >= 0)
                        at = (at + 1) & (uint)(table.Length - 1);
                    table[at] = i;
                }

                last[key] = i;
            }

            return table;
        }

        private Section Put<T>(ReadOnlySpan<T> rows)
            where T : unmanaged
        {
            var offset = (_file.Position + 7) & ~7L;
            if (offset + ((long)rows.Length * Unsafe.SizeOf<T>()) > int.MaxValue - 8)
                throw new ArgumentException("the image is too large for a file");
            _file.SetLength(offset);
            _file.Position = offset;
            _file.Write(MemoryMarshal.AsBytes(rows));
            return new Section((int)offset, rows.Length);
        }
    }
}
