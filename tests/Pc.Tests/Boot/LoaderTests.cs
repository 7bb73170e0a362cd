using System.Text;
using DynaTrans.Pc.Boot;
using DynaTrans.Runtime.Memory;

namespace DynaTrans.Pc.Tests.Boot;

/// <summary>What the loaders put where, and what they tell the kernel.</summary>
public sealed class LoaderTests : IDisposable
{
    private const long Size = 64 << 20;
    private static readonly byte[] s_code = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 7 / 3))];

    private readonly string _folder = Directory.CreateTempSubdirectory("loader").FullName;
    private readonly AddressSpace _space = new(PhysicalMemory.AddressBits, is32Bit: false);
    private readonly PhysicalMemory _memory;

    public LoaderTests() => _memory = new PhysicalMemory(_space, Size);

    public void Dispose()
    {
        _space.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    [InlineData("xz")]
    public void APackedKernelIsUnpackedAndEnteredByItsNote(string format)
    {
        var elf = KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress + 0x10);
        var payload = format switch
        {
            "gzip" => KernelBuilder.Gzip(elf),
            "lz4" => KernelBuilder.Lz4(elf),
            "zstd" => KernelBuilder.Zstd(elf),
            _ => KernelBuilder.Xz(elf),
        };
        var entry = Load(KernelBuilder.BzImage(payload), "console=ttyS0");
        Assert.Equal(KernelBuilder.LoadAddress + 0x10, entry.Address);
        Assert.Equal(s_code, Bytes(KernelBuilder.LoadAddress, s_code.Length));
        Assert.Equal(0x336EC578u, U32(entry.Ebx));
        Assert.Equal(1u, U32(entry.Ebx + 4));
        Assert.Equal("console=ttyS0", Text(U32(entry.Ebx + 24)));
    }

    [Fact]
    public void PvhTellsTheMemoryMapTheRootPointerAndTheRamDisk()
    {
        var disk = Write("disk", s_code);
        var entry = Load(KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress), disk: disk, acpi: 0xE0000);
        var information = entry.Ebx;
        Assert.Equal(1u, U32(information + 12));
        var module = U32(information + 16);
        Assert.Equal((uint)s_code.Length, U32(module + 8));
        Assert.Equal(s_code, Bytes(U32(module), s_code.Length));
        Assert.True(U32(module) >= Size - (1 << 20));
        Assert.Equal(0xE0000u, U32(information + 32));

        var map = Enumerable.Range(0, (int)U32(information + 48)).Select(i => U32(information + 40) + ((uint)i * 24))
            .Select(at => new MemoryRange(U64(at), U64(at + 8), (MemoryKind)U32(at + 16))).ToArray();
        Assert.Equal(
            [
                new(0, 0x9FC00, MemoryKind.Usable), new(0x9FC00, 0x400, MemoryKind.Reserved), new(0xE0000, 0x20000, MemoryKind.Reserved),
                new(0x10_0000, Size - 0x10_0000, MemoryKind.Usable),
            ],
            map);
    }

    [Fact]
    public void A32BitKernelGetsBootParameters()
    {
        var disk = Write("disk", s_code);
        var entry = Load(KernelBuilder.BzImage(KernelBuilder.Gzip(KernelBuilder.Elf(is64: false, s_code, memorySize: 0x20000))), "a b", disk, acpi: 0xE0010);
        Assert.Equal(KernelBuilder.LoadAddress, entry.Address);
        var parameters = entry.Esi;
        Assert.Equal(0x53726448u, U32(parameters + 0x202));
        Assert.Equal(0xFFu, U32(parameters + 0x210) & 0xFF);
        Assert.Equal("a b", Text(U32(parameters + 0x228)));
        Assert.Equal((uint)s_code.Length, U32(parameters + 0x21C));
        Assert.Equal(s_code, Bytes(U32(parameters + 0x218), s_code.Length));
        Assert.Equal(4u, U32(parameters + 0x1E8) & 0xFF);
        Assert.Equal(0x9FC00ul, U64(parameters + 0x2D0 + 8));
        Assert.Equal(0xE0010ul, U64(parameters + 0x70));
    }

    [Fact]
    public void AVmlinuxOf32BitsIsEnteredDirectly()
    {
        var entry = Load(KernelBuilder.Elf(is64: false, s_code));
        Assert.Equal(KernelBuilder.LoadAddress, entry.Address);
        Assert.Equal(0xAA55u, U32(entry.Esi + 0x1FE) & 0xFFFF);
    }

    [Fact]
    public void ThePackedKernelIsEnteredAtOneMebibyteWhenTheGuestUnpacks()
    {
        var file = KernelBuilder.BzImage(KernelBuilder.Gzip(KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress)));
        var entry = Load(file, unpacking: KernelUnpacking.Guest);
        Assert.Equal(0x10_0000u, entry.Address);
        Assert.Equal(file[1536..], Bytes(0x10_0000, file.Length - 1536));
        Assert.Equal(0x10_0000u, U32(entry.Esi + 0x214));
    }

    [Fact]
    public void MultibootTellsCommandLineMemoryAndModules()
    {
        var first = Write("first", s_code);
        var second = Write("second", [1, 2, 3]);
        var entry = Load(KernelBuilder.Multiboot(s_code), "x=1", $"{first} with args,{second}");
        Assert.Equal(KernelBuilder.LoadAddress + 32, entry.Address);
        Assert.Equal(0x2BADB002u, entry.Eax);
        Assert.Equal(s_code, Bytes(KernelBuilder.LoadAddress + 32, s_code.Length));
        var information = entry.Ebx;
        Assert.Equal(0x24Du, U32(information));
        Assert.Equal(639u, U32(information + 4));
        Assert.Equal((uint)(Size - 0x10_0000) / 1024, U32(information + 8));
        Assert.Equal($"{KernelFile} x=1", Text(U32(information + 16)));
        Assert.Equal(2u, U32(information + 20));
        var modules = U32(information + 24);
        Assert.Equal(s_code, Bytes(U32(modules), s_code.Length));
        Assert.Equal(U32(modules) + (uint)s_code.Length, U32(modules + 4));
        Assert.Equal($"{first} with args", Text(U32(modules + 8)));
        Assert.Equal([1, 2, 3], Bytes(U32(modules + 16), 3));
        Assert.Equal(4u * 24, U32(information + 44));
        Assert.Equal(20u, U32(U32(information + 48)));
    }

    [Fact]
    public void AMultibootElfIsLoadedByItsSegments()
    {
        var code = new byte[64];
        KernelBuilder.Multiboot([], flags: 3).AsSpan(0, 12).CopyTo(code.AsSpan(16));
        KernelBuilder.Put32(code, 24, unchecked(0u - 0x1BADB002 - 3));
        var entry = Load(KernelBuilder.Elf(is64: false, code));
        Assert.Equal(KernelBuilder.LoadAddress, entry.Address);
        Assert.Equal(0x2BADB002u, entry.Eax);
    }

    // As `ld -Ttext=0x100000` makes it: the segment begins with the file's headers, a page below 1 MiB, where no RAM is.
    [Fact]
    public void HeadersInFrontOfTheFirstMebibyteAreLeftOut()
    {
        var entry = Load(LinkedAtAMebibyte(s_code));
        Assert.Equal(0x10_0000u, entry.Address);
        Assert.Equal(s_code, Bytes(0x10_0000 + 12, s_code.Length));
    }

    // With something of the kernel behind them it cannot be loaded.
    [Fact]
    public void CodeBelowTheFirstMebibyteIsRefused()
    {
        var file = LinkedAtAMebibyte(s_code);
        file[0x800] = 1;
        Assert.Contains("ff000 to 1", Assert.Throws<BootException>(() => Load(file)).Message);
    }

    private static byte[] LinkedAtAMebibyte(byte[] code)
    {
        const int Page = 0x1000, ProgramHeader = 52;
        var contents = KernelBuilder.Multiboot([], flags: 0)[..12];
        var file = new byte[Page + contents.Length + code.Length];
        KernelBuilder.Elf(is64: false, []).CopyTo(file, 0);
        KernelBuilder.Put32(file, 24, 0x10_0000);
        int[] header = [1, 0, 0xFF000, 0xFF000, file.Length, file.Length];
        for (var i = 0; i < header.Length; i++)
            KernelBuilder.Put32(file, ProgramHeader + (i * 4), (uint)header[i]);
        contents.CopyTo(file, Page);
        code.CopyTo(file, Page + contents.Length);
        return file;
    }

    [Fact]
    public void TheDescriptorTableMatchesTheSegments()
    {
        var entry = Load(KernelBuilder.Multiboot(s_code));
        Assert.Equal(ProtectedModeEntry.Code.Bits, U64(entry.Gdt + ProtectedModeEntry.CodeSelector));
        Assert.Equal(ProtectedModeEntry.Data.Bits, U64(entry.Gdt + ProtectedModeEntry.DataSelector));
    }

    public static TheoryData<string, byte[], string> Bad()
    {
        var elf = KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress);
        var image = KernelBuilder.BzImage(KernelBuilder.Gzip(elf));
        var zipped = KernelBuilder.Gzip(elf);
        return new TheoryData<string, byte[], string>
        {
            { "empty", [], "the file is empty" },
            { "text", Encoding.ASCII.GetBytes("hello, this is no kernel at all"), "not a kernel" },
            { "packed file", zipped, "packed with gzip" },
            { "truncated ELF", elf[..30], "not an ELF file" },
            { "truncated headers", elf[..80], "program headers" },
            { "truncated segment", elf[..^1], "a segment" },
            { "no entry", KernelBuilder.Elf(is64: true, s_code), "PVH" },
            { "too large", KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress, 0x1000_0000), "does not fit into memory" },
            { "truncated image", image[..^100], "truncated" },
            { "truncated setup", image[..700], "setup" },
            { "protocol", KernelBuilder.BzImage(zipped, 0x700), "boot protocol 7.00" },
            { "damaged gzip", KernelBuilder.BzImage([.. zipped[..40], .. new byte[zipped.Length - 40]]), "damaged" },
            { "lzo", KernelBuilder.BzImage([0x89, 0x4C, 0x5A, 0x4F, 0, 0, 0, 0]), "--decompress guest" },
            { "unknown format", KernelBuilder.BzImage(new byte[200]), "unknown format" },
            { "payload is no ELF", KernelBuilder.BzImage(KernelBuilder.Gzip(s_code)), "not ELF" },
            { "multiboot flags", KernelBuilder.Multiboot(s_code, 0x1_0008), "features" },
            { "multiboot without addresses", KernelBuilder.Multiboot(s_code, 0), "names no load addresses" },
        };
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void ADamagedFileIsOneClearLine(string name, byte[] file, string message)
    {
        var e = Assert.Throws<BootException>(() => Load(file));
        Assert.True(e.Message.Contains(message, StringComparison.Ordinal), $"{name}: {e.Message}");
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void WhatDoesNotFitBesideTheKernelIsRefused()
    {
        var kernel = KernelBuilder.Elf(is64: true, s_code, KernelBuilder.LoadAddress);
        var disk = Write("disk", new byte[Size]);
        Assert.Contains("does not fit into memory", Assert.Throws<BootException>(() => Load(kernel, disk: disk)).Message);
        Assert.Contains("no such file", Assert.Throws<BootException>(() => Load(kernel, disk: disk + "x")).Message);
        Assert.Contains("command line", Assert.Throws<BootException>(() => Load(kernel, new string('x', 3000))).Message);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(128 << 10)]
    [InlineData(2 << 20)]
    public void ARomEndsAtFourGibibytes(int size)
    {
        var rom = new byte[size];
        new Random(1).NextBytes(rom);
        RomImage.Load(_memory, Write("rom", rom));
        Assert.Equal(rom, Bytes(0x1_0000_0000 - (ulong)size, size));
        var low = Math.Min(size, 128 << 10);
        Assert.Equal(rom[^low..], Bytes(0x10_0000 - (ulong)low, low));
        Assert.False(_memory.TryWrite(0xFFFF_FFF0, [1]));
    }

    [Theory]
    [InlineData(4095)]
    [InlineData(100)]
    [InlineData(32 << 20)]
    public void ARomOfAnOddLengthIsRefused(int size) =>
        Assert.Contains("a ROM has a multiple of 4096 bytes", Assert.Throws<BootException>(() => RomImage.Load(_memory, Write("rom", new byte[size]))).Message);

    private string KernelFile => Path.Join(_folder, "kernel");

    private ProtectedModeEntry Load(
        byte[] kernel, string commandLine = "", string? disk = null, ulong acpi = 0, KernelUnpacking unpacking = KernelUnpacking.Host) =>
        (ProtectedModeEntry)KernelLoader.Load(
            _memory, new KernelOptions(Write("kernel", kernel)) { CommandLine = commandLine, RamDisk = disk, Unpacking = unpacking }, acpi);

    private string Write(string name, byte[] bytes)
    {
        var path = Path.Join(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private byte[] Bytes(ulong address, int count)
    {
        var bytes = new byte[count];
        Assert.True(_memory.TryRead(address, bytes));
        return bytes;
    }

    private uint U32(uint address) => BitConverter.ToUInt32(Bytes(address, 4));

    private ulong U64(uint address) => BitConverter.ToUInt64(Bytes(address, 8));

    private string Text(uint address) => Encoding.UTF8.GetString(Bytes(address, 200)).Split('\0')[0];
}
