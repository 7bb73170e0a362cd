using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;

namespace DynaTrans.Frontend.Tests.Ir;

/// <summary>The text of IR is stable: documents, dumps and tests quote it.</summary>
public sealed class IrPrinterTests
{
    [Fact]
    public void BlockOf64BitCode()
    {
        // mov rax, [rdi+rsi*8+16]; add rax, 5; cmp eax, ecx; mov [rsp-8], al; jl 0x401000
        var block = Lift.Hex("48 8B 44 F7 10 48 83 C0 05 39 C8 88 44 24 F8 7C EF", GuestMode.Linux64);
        Assert.Equal(
            """
            block 0x401000..0x401011, linux64
            401000: mov rax, [rdi+rsi*8+0x10]
                rax = load.8 [rdi + rsi*8 + 0x10]
            401005: add rax, 5
                rax = add.8 rax, 5 !f
            401009: cmp eax, ecx
                _ = sub.4 rax, rcx !f
            40100b: mov [rsp-8], al
                store.1 [ss: rsp - 8] = rax
            40100f: jl 0x401000
                jump.l 0x401000 else 0x401011

            """, IrPrinter.Block(block), ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void BlockOf16BitCode()
    {
        // mov ax, [bp+si-2]; inc cx; shl dx, cl; loop 0x401000
        var block = Lift.Hex("8B 42 FE 41 D3 E2 E2 F8", GuestMode.Real);
        Assert.Equal(
            """
            block 0x401000..0x401008, real
            401000: mov ax, [bp+si-2]
                t0 = lea.2 [u16(rbp + rsi - 2)]
                checklimit ss, t0, 2 bytes
                t1 = load.2 [ss.base + u16(t0)]
                rax = insert.2 rax, t1
            401003: inc cx
                t0 = inc.2 rcx !f
                rcx = insert.2 rcx, t0
            401004: shl dx, cl
                t0 = shl.2 rdx, rcx !f
                rdx = insert.2 rdx, t0
            401006: loop 0x1000
                t0 = sub.2 rcx, 1
                t1 = compare.2 t0 != 0
                rcx = insert.2 rcx, t0
                jump.if t1 0x1000 else 0x401008

            """, IrPrinter.Block(block), ignoreLineEndingDifferences: true);
    }
}
