using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.IlBackend.Emission;
using DynaTrans.IlBackend.Regions;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Which accesses of a region are tested, and for what.</summary>
public sealed unsafe class CheckPlanTests
{
    [Fact]
    public void FieldsOfAStructureShareOneTest()
    {
        var checks = Plan(64, a =>
        {
            a.mov(rax, __qword_ptr[rbx + 64]);
            a.mov(rcx, __qword_ptr[rbx + 8]);
            a.add(rbx, 16);
            a.mov(rdx, __qword_ptr[rbx - 16]);
            a.mov(rsi, __qword_ptr[rbx + 4000]);
        });
        Assert.Equal(
            [
                new AccessCheck(CheckForm.FastBit, false, 0, 4024, default),
                new AccessCheck(CheckForm.None, false, 8, 16, default),
                new AccessCheck(CheckForm.None, false, -16, -8, default),
                new AccessCheck(CheckForm.None, false, 4000, 4008, default),
            ],
            checks.Select(c => c with { Key = default }));
    }

    [Fact]
    public void APageIsTheLimit()
    {
        var checks = Plan(32, a =>
        {
            a.mov(eax, __dword_ptr[ebx]);
            a.mov(ecx, __dword_ptr[ebx + 4092]);
            a.mov(edx, __dword_ptr[ebx + 4093]);
        });
        Assert.Equal([CheckForm.FastBit, CheckForm.None, CheckForm.FastBit], checks.Select(c => c.Form));
    }

    [Fact]
    public void PushesShareATestBelowThem()
    {
        var checks = Plan(32, a =>
        {
            a.push(ebp);
            a.mov(ebp, esp);
            a.push(ebx);
            a.sub(esp, 0x40);
            a.mov(__dword_ptr[esp + 4], eax);
            a.mov(eax, __dword_ptr[ebp + 8]);
            a.mov(__dword_ptr[ebp - 8], eax);
        });
        Assert.Equal(CheckForm.FastBit, checks[0].Form);
        Assert.True(checks[0].Write);
        Assert.True(checks[0].Lo <= -0x44);
        Assert.All(checks.Skip(1), c => Assert.Equal(CheckForm.None, c.Form));
    }

    [Fact]
    public void AReadIsTestedForReadingWhereNothingIsWritten()
    {
        var checks = Plan(64, a =>
        {
            a.mov(rax, __qword_ptr[rbx]);
            a.mov(__qword_ptr[rcx], rax);
            a.add(__qword_ptr[rdi], rax);
            a.mov(rax, __qword_ptr[rsi]);
            a.mov(__qword_ptr[rsi + 2048], rax);
        });
        Assert.Equal(
            [
                (CheckForm.FastBit, false), (CheckForm.FastBit, true), (CheckForm.FastBit, true), (CheckForm.None, true), (CheckForm.FastBit, false),
                (CheckForm.FastBit, true),
            ],
            checks.Select(c => (c.Form, c.Write)));
    }

    [Fact]
    public void NarrowAndUnknownWritesForget()
    {
        Action<Assembler>[] writes =
        [
            a => a.add(ebx, 4), a => a.mov(bl, 1), a => a.mov(bx, 1), a => a.add(rbx, rcx), a => a.mov(rbx, __qword_ptr[rbx]), a => a.xchg(rbx, rcx),
            a => a.bswap(rbx), a => a.cmove(rbx, rdx), a => a.lea(ebx, __[rbx + 8]),
        ];
        foreach (var write in writes)
        {
            var checks = Plan(64, a =>
            {
                a.mov(rax, __qword_ptr[rbx]);
                write(a);
                a.mov(rcx, __qword_ptr[rbx + 8]);
            });
            Assert.Equal(CheckForm.FastBit, checks[^1].Form);
        }
    }

    [Fact]
    public void IndexedAddressesAndCopiesAreFollowed()
    {
        var checks = Plan(64, a =>
        {
            a.mov(rax, __qword_ptr[rbx + rcx * 8]);
            a.inc(rcx);
            a.mov(rdx, __qword_ptr[rbx + rcx * 8 - 8]);
            a.lea(rsi, __[rbx + rcx * 8]);
            a.mov(rdx, __qword_ptr[rsi + 16]);
            a.mov(rdi, rsi);
            a.mov(rdx, __qword_ptr[rdi + 32]);
            a.mov(rdx, __qword_ptr[rbx + rcx * 4]);
        });
        Assert.Equal(
            [CheckForm.FastBit, CheckForm.None, CheckForm.None, CheckForm.None, CheckForm.FastBit], checks.Select(c => c.Form));
    }

    [Fact]
    public void GlobalsOfAPageShareATest()
    {
        var checks = Plan(32, a =>
        {
            a.mov(eax, __dword_ptr[0x804C100]);
            a.mov(ebx, 0x804C000);
            a.mov(ecx, __dword_ptr[ebx + 0x20]);
            a.mov(ecx, __dword_ptr[0x804DFFC]);
            a.mov(ecx, __dword_ptr[0x804DFFD]);
        });
        Assert.Equal([CheckForm.FastBit, CheckForm.None, CheckForm.None, CheckForm.FastBit], checks.Select(c => c.Form));
    }

    [Fact]
    public void WhatHoldsOnBothWaysHoldsWhereTheyMeet()
    {
        var checks = Plan(32, a =>
        {
            var (other, join) = (a.CreateLabel(), a.CreateLabel());
            a.mov(eax, __dword_ptr[ebx]);
            a.test(eax, eax);
            a.je(other);
            a.mov(eax, __dword_ptr[ecx]);
            a.mov(eax, __dword_ptr[edx]);
            a.jmp(join);
            a.Label(ref other);
            a.add(ebx, 4);
            a.mov(eax, __dword_ptr[ecx]);
            a.jmp(join);
            a.nop();
            a.Label(ref join);
            a.mov(eax, __dword_ptr[ebx + 8]);
            a.mov(eax, __dword_ptr[ecx + 8]);
            a.mov(eax, __dword_ptr[edx + 8]);
        });
        Assert.Equal(
            [
                CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit, CheckForm.None, CheckForm.None, CheckForm.FastBit,
            ],
            checks.Select(c => c.Form));
    }

    [Fact]
    public void WhatALoopDoesNotChangeIsTestedBeforeIt()
    {
        Action<Assembler> code = a =>
        {
            var (loop, skip) = (a.CreateLabel(), a.CreateLabel());
            a.mov(eax, __dword_ptr[ebx]);
            a.jmp(loop);
            a.nop();
            a.Label(ref loop);
            a.mov(eax, __dword_ptr[ebx + 4]);
            a.mov(eax, __dword_ptr[edi]);
            a.test(eax, eax);
            a.je(skip);
            a.mov(eax, __dword_ptr[ebp]);
            a.mov(__dword_ptr[esp + 8], eax);
            a.jmp(skip);
            a.nop();
            a.Label(ref skip);
            a.add(edi, 4);
            a.dec(ecx);
            a.jnz(loop);
        };

        // Of the loop: ebx in every round, edi is moved, ebp not in every round, the stack is there.
        Assert.Equal(
            [CheckForm.FastBit, CheckForm.None, CheckForm.FastBit, CheckForm.FastBit, CheckForm.None],
            Plan(32, code).Select(c => c.Form));
        Assert.Equal(
            [CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit],
            Plan(32, code, isLoopRefused: true).Select(c => c.Form));
    }

    [Fact]
    public void NothingHoldsRoundALoopThatCalls()
    {
        var checks = Plan(32, a =>
        {
            var (loop, function) = (a.CreateLabel(), a.CreateLabel());
            a.nop();
            a.jmp(loop);
            a.nop();
            a.Label(ref loop);
            a.mov(eax, __dword_ptr[ebx]);
            a.call(function);
            a.dec(ecx);
            a.jnz(loop);
            a.nop();
            a.Label(ref function);
            a.nop();
        });
        Assert.Equal(CheckForm.FastBit, checks[0].Form);
    }

    [Fact]
    public void ALoopWithoutEntryKeepsWhatItDoesNotMove()
    {
        var checks = Plan(64, a =>
        {
            var (loop, skip, end) = (a.CreateLabel(), a.CreateLabel(), a.CreateLabel());
            a.mov(rax, __qword_ptr[rsi]);
            a.mov(rax, __qword_ptr[rdi]);
            a.jmp(loop);
            a.nop();
            a.Label(ref loop);
            a.mov(rax, __qword_ptr[rsi + 8]);
            a.mov(rdx, __qword_ptr[rdi + 8]);
            a.cmp(rax, rdx);
            a.jne(end);
            a.mov(rax, __qword_ptr[rsi + 16]);
            a.mov(rdx, __qword_ptr[rdi + 16]);
            a.cmp(rax, rdx);
            a.jne(skip);
            a.mov(rax, __qword_ptr[rbx]);
            a.jmp(skip);
            a.nop();
            a.Label(ref skip);
            a.add(rsi, 16);
            a.jmp(loop);
            a.nop();
            a.Label(ref end);
        }, areCopied: true);

        // rsi moves: once in a round it is tested; rdi does not.
        Assert.Equal(
            [
                CheckForm.FastBit, CheckForm.FastBit, CheckForm.FastBit, CheckForm.None, CheckForm.None, CheckForm.None, CheckForm.FastBit,
            ],
            checks.Select(c => c.Form));
    }

    [Fact]
    public void FieldsLookedAtAfterABranchAreNear()
    {
        var checks = Plan(64, a =>
        {
            var (other, end) = (a.CreateLabel(), a.CreateLabel());
            a.cmp(__dword_ptr[rbx + 8], 3);
            a.jne(other);
            a.mov(rax, __qword_ptr[rbx]);
            a.mov(rcx, __qword_ptr[rbx - 64]);
            a.mov(__qword_ptr[rbx - 8], rax);
            a.jmp(end);
            a.nop();
            a.Label(ref other);
            a.mov(rax, __qword_ptr[rbx + 64]);
            a.Label(ref end);
        });
        Assert.Equal(
            [(CheckForm.FastBit, 0L), (CheckForm.None, 0L), (CheckForm.FastBit, -64L), (CheckForm.None, -8L), (CheckForm.None, 64L)],
            checks.Select(c => (c.Form, c.Lo)));
    }

    [Fact]
    public void TablesWithABoundedIndexAreTestedAsAWhole()
    {
        var checks = Plan(64, a =>
        {
            a.movzx(eax, cl);
            a.mov(edx, __dword_ptr[rbx + rax * 4]);
            a.and(esi, 0x1F);
            a.mov(edx, __dword_ptr[rbx + rsi * 8 + 0x10]);
            a.mov(edx, __dword_ptr[rbx + rdi * 8]);
        });
        Assert.Equal([CheckForm.FastBit, CheckForm.None, CheckForm.FastBit], checks.Select(c => c.Form));
        Assert.Equal((0L, 1024L, Slot.Zero), (checks[0].Lo, checks[0].Hi, checks[0].Key!.B));
    }

    [Fact]
    public void BadHistoryNarrowsTheTest()
    {
        Action<Assembler> code = a =>
        {
            a.mov(eax, __dword_ptr[ebx + 8]);
            a.mov(ecx, __dword_ptr[ebx + 16]);
            a.mov(ecx, __dword_ptr[ebx + 64]);
            a.mov(edx, __dword_ptr[esi]);
        };
        Assert.Equal(
            [
                new AccessCheck(CheckForm.Edges, false, 8, 68, default), new AccessCheck(CheckForm.None, false, 16, 20, default),
                new AccessCheck(CheckForm.None, false, 64, 68, default), new AccessCheck(CheckForm.FastBit, false, 0, 4, default),
            ],
            Plan(32, code, i => i == 1 ? AccessHistory.EdgePages : AccessHistory.Fast).Select(c => c with { Key = default }));
        Assert.Equal(
            [CheckForm.FastBit, CheckForm.Own, CheckForm.None, CheckForm.FastBit],
            Plan(32, code, i => i == 1 ? AccessHistory.Slow : AccessHistory.Fast).Select(c => c.Form));
    }

    [Fact]
    public void AddressesOfOtherWidthsKeepTheirOwnTest()
    {
        var checks = Plan(64, a =>
        {
            a.mov(rax, __qword_ptr[ebx]);
            a.mov(rax, __qword_ptr[ebx + 8]);
        });
        Assert.Equal([CheckForm.Own, CheckForm.Own], checks.Select(c => c.Form));
    }

    // The checks of all accesses, in the order of the code; the history is asked by the number of the instruction in its block.
    private static List<AccessCheck> Plan(int bits, Action<Assembler> write, Func<int, AccessHistory>? history = null, bool isLoopRefused = false, bool areCopied = false)
    {
        var a = new Assembler(bits);
        write(a);
        a.ret();
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), BareMachine.Code);
        var bytes = stream.ToArray();
        var blocks = new SortedDictionary<ulong, RegionBlock>();
        var todo = new Stack<ulong>([BareMachine.Code]);
        var mode = bits == 64 ? GuestMode.Linux64 : GuestMode.Linux32;
        while (todo.TryPop(out var start))
        {
            if (start - BareMachine.Code >= (ulong)bytes.Length || blocks.ContainsKey(start))
                continue;
            var ir = new IrBlock();
            fixed (byte* code = bytes)
                Assert.True(new Lifter().Lift(
                    ir, code + (start - BareMachine.Code), bytes.Length - (int)(start - BareMachine.Code), start, mode));
            var addresses = Enumerable.Range(0, ir.InstructionCount).Select(ir.AddressOf).ToArray();
            blocks[start] = new RegionBlock(0, start, ir.Next, ir.Taken, ir.EndsWithCall, ir.Ops.ToArray(), addresses);
            if (ir.Ops[^1].Op is IrOpcode.JumpCondition or IrOpcode.Jump)
                todo.Push(ir.Taken);
            if (ir.Ops[^1].Op is IrOpcode.JumpCondition || ir.EndsWithCall)
                todo.Push(ir.Next);
        }

        var region = new Region(mode, [.. blocks.Values]);
        foreach (var block in region.Blocks)
            block.Copied = areCopied;
        region.Analyse();
        var known = region.Blocks[0].Addresses.Select((rip, i) => (rip, i)).ToDictionary(p => p.rip, p => p.i);
        var plan = new CheckPlan(region, rip => history != null && known.TryGetValue(rip, out var i) ? history(i) : AccessHistory.Fast, _ => isLoopRefused);
        var checks = new List<AccessCheck>();
        foreach (var block in region.Blocks)
            for (var i = 0; i < block.Ops.Length; i++)
                if (CheckPlan.IsAccess(block.Ops[i]) && block.Addresses[block.Ops[i].Insn] != BareMachine.Code + (ulong)bytes.Length - 1)
                    checks.Add(plan.Check(block, i));
        return checks;
    }
}
