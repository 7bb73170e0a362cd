using DynaTrans.Frontend.Decoding;
using DynaTrans.Frontend.Ir;
using DynaTrans.Frontend.Lifting;
using DynaTrans.Runtime.Privileged;
using DynaTrans.Runtime.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests.Systems;

/// <summary>CR0, CR2, CR3, CR4, CR8, the machine status word, and the modes that follow (SDM Vol. 2, MOV to/from control registers; Vol. 3, 2.5).</summary>
public sealed unsafe class ControlRegisterTests
{
    private const uint Protected = 0x11;

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ResetStateIsThatOfTheManual(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.hlt());
        var s = machine.State;
        CpuReset.Apply(s);
        Assert.Equal((0xF000, 0xFFFF0000UL, 0xFFFFu, 0xFFF0UL), (s->Cs.Selector, machine[Slot.CsBase], s->Cs.Limit, machine[Slot.Rip]));
        Assert.Equal((0x60000010UL, 0UL, 0xFFFF0FF0UL, 0x400UL), (s->System.Cr0, s->System.Cr4, s->System.Dr6, s->System.Dr7));
        Assert.Equal((0x000106CAUL, 2u), (machine[Slot.Rdx], CpuAccess.GetEflags(s)));
        Assert.Equal(GuestMode.System | GuestMode.Real | GuestMode.NoSse, CpuAccess.Mode(s));
    }

    [Theory]
    [InlineData(Engine.Interpreter, 0x80000010u)]
    [InlineData(Engine.Jit, 0x80000010u)]
    [InlineData(Engine.Interpreter, 0x20000011u)]
    [InlineData(Engine.Jit, 0x20000011u)]
    public void InconsistentCr0RaisesGeneralProtection(Engine engine, uint value)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.mov(cr0, eax));
        var old = machine.System.Cr0;
        machine[Slot.Rax] = value;
        machine.RunToException(ExceptionVector.GeneralProtection);
        Assert.Equal(old, machine.System.Cr0);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void UpperHalfOfCr0IsReserved(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.mov(cr0, rax));
        machine[Slot.Rax] = 0x1_80000011;
        machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void UndefinedBitsOfCr0AreIgnoredAndEtIsSet(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(cr0, eax);
            a.mov(ebx, cr0);
            a.hlt();
        });
        machine[Slot.Rax] = 0x0FFF0021;
        machine.RunToHalt();
        Assert.Equal(0x50031UL, machine[Slot.Rbx]);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ControlRegistersAreOfRing0(Engine engine)
    {
        foreach (var level in (int[])[1, 3])
            foreach (var code in (Action<Assembler>[])
                [a => a.mov(eax, cr0), a => a.mov(cr3, eax), a => a.mov(eax, dr7), a => a.clts(), a => a.lmsw(ax), a => a.invlpg(__[0]), a => a.wbinvd(), a => a.invd(),
                    a => a.lgdt(__[0x20000]), a => a.lidt(__[0x20000]), a => a.lldt(ax), a => a.ltr(ax), a => a.rdmsr(), a => a.wrmsr(), a => a.hlt()])
            {
                using var machine = new SystemMachine(engine, SystemMode.Protected, code, level);
                machine.RunToException(ExceptionVector.GeneralProtection);
            }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void RegistersThatDoNotExistAreUndefined(Engine engine)
    {
        foreach (var (bytes, mode) in ((byte[], SystemMode)[])[([0x0F, 0x20, 0xC8], SystemMode.Protected), ([0x0F, 0x20, 0xE8], SystemMode.Long)])
        {
            using var machine = new SystemMachine(engine, mode, a => a.db(bytes), 3);
            machine.RunToException(ExceptionVector.InvalidOpcode);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter, 0x00000800_00000020UL)]
    [InlineData(Engine.Jit, 0x20)]
    [InlineData(Engine.Interpreter, 0x2020)]
    [InlineData(Engine.Jit, 0x600)]
    public void ReservedBitsOfCr4AndPaeInLongModeRaiseGeneralProtection(Engine engine, ulong value)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.mov(cr4, rax));
        machine[Slot.Rax] = value == 0x20 ? 0x40020 : value;
        machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ModelsHaveTheirOwnBitsOfCr4(Engine engine)
    {
        foreach (var (model, allowed, refused) in ((CpuModel, ulong, ulong)[])[
            (CpuModel.I486, 0, 4), (CpuModel.Pentium, 0x1C, 0x20), (CpuModel.Pentium3, 0x7FC, 0x800), (CpuModel.Qemu64, 0x7FC, 0x10000), (CpuModel.Max, 0x310FFC, 0x1000)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
            {
                a.mov(cr4, eax);
                a.mov(cr4, ebx);
            }, model: model);
            (machine[Slot.Rax], machine[Slot.Rbx]) = (allowed, refused);
            machine.RunToException(ExceptionVector.GeneralProtection, 0, SystemMachine.Code + 3);
            Assert.Equal(allowed, machine.System.Cr4);
        }
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void LongModeIsEnteredByPagingAndLeftByIt(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(ecx, 0xC0000080);
            a.mov(eax, 0x900);
            a.xor(edx, edx);
            a.wrmsr();
            a.mov(ebx, cr4);
            a.or(ebx, 0x20);
            a.mov(cr4, ebx);
            a.mov(eax, 0x80010031);
            a.mov(cr0, eax);
            a.rdmsr();
            a.mov(esi, eax);
            a.mov(eax, 0x00010031);
            a.mov(cr0, eax);
            a.rdmsr();
            a.hlt();
        });
        machine.RunToHalt();
        Assert.Equal((0xD00UL, 0x900UL, false), (machine[Slot.Rsi], machine[Slot.Rax], machine.State->IsLongMode));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void LongModeNeedsPae(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a => a.mov(cr0, eax));
        machine.System.Efer = Efer.LongModeEnable;
        machine[Slot.Rax] = 0x80000011;
        machine.RunToException(ExceptionVector.GeneralProtection);
        Assert.Equal(Efer.LongModeEnable, machine.System.Efer);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void SixtyFourBitCodeCannotTurnPagingOff(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a => a.mov(cr0, rax));
        machine[Slot.Rax] = Protected;
        machine.RunToException(ExceptionVector.GeneralProtection);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void Cr3HasThePhysicalAddressBits(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Long, a =>
        {
            a.mov(cr3, rax);
            a.mov(cr3, rbx);
        });
        (machine[Slot.Rax], machine[Slot.Rbx]) = (0x7F_FFFFF018, 0x80_00000000);
        machine.RunToException(ExceptionVector.GeneralProtection, 0, SystemMachine.Code + 3);
        Assert.Equal(0x7F_FFFFF018UL, machine.System.Cr3);
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void MachineStatusWordSetsPeAndDoesNotClearIt(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Protected, a =>
        {
            a.mov(eax, 0xFFFE);
            a.lmsw(ax);
            a.smsw(ebx);
            a.clts();
            a.smsw(__word_ptr[0x20000]);
            a.hlt();
        });
        machine.RunToHalt();
        Assert.Equal((0x1003FUL, (ushort)0x37), (machine[Slot.Rbx], BitConverter.ToUInt16(machine.Read(0x20000, 2))));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void RealModeKeepsLimitsOfProtectedMode(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Real, a =>
        {
            a.lgdt(__[0x9000]);
            a.mov(eax, cr0);
            a.or(al, 1);
            a.mov(cr0, eax);
            a.mov(bx, SystemMachine.DataSegment);
            a.mov(ds, bx);
            a.and(al, 0xFE);
            a.mov(cr0, eax);
            a.xor(bx, bx);
            a.mov(ds, bx);
            a.mov(ecx, 0x80000);
            a.mov(__dword_ptr[ecx], 0x12345678);
            a.hlt();
        });
        machine.Write(0x9000, [0x77, 0, 0, 0x80, 0, 0]);
        machine.RunToHalt();
        Assert.Equal(0x12345678u, BitConverter.ToUInt32(machine.Read(0x80000, 4)));
        Assert.Equal(GuestMode.Real | GuestMode.System | GuestMode.NoSse, CpuAccess.Mode(machine.State));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void ProtectedModeIsEnteredByAFarJump(Engine engine)
    {
        using var machine = new SystemMachine(engine, SystemMode.Real, a =>
        {
            a.lgdt(__[0x9000]);
            a.mov(eax, cr0);
            a.or(al, 1);
            a.mov(cr0, eax);
            a.db(0x66, 0xEA, 0x00, 0x20, 0x00, 0x00, 0x08, 0x00);
        });
        machine.Assemble(a =>
        {
            a.mov(eax, 0x12345678);
            a.hlt();
        }, 0x2000, 32);
        machine.Write(0x9000, [0x77, 0, 0, 0x80, 0, 0]);
        machine.RunToHalt();
        Assert.Equal((0x12345678UL, 8), (machine[Slot.Rax], machine.State->Cs.Selector));
    }

    [Theory]
    [InlineData(Engine.Interpreter)]
    [InlineData(Engine.Jit)]
    public void VectorInstructionsGoByTheirBits(Engine engine)
    {
        foreach (var (cr0, cr4, code, vector) in ((ulong, ulong, Action<Assembler>, int)[])[
            (8, 0x200, a => a.addps(xmm0, xmm1), ExceptionVector.DeviceNotAvailable),
            (4, 0x200, a => a.addps(xmm0, xmm1), ExceptionVector.InvalidOpcode),
            (0, 0, a => a.addps(xmm0, xmm1), ExceptionVector.InvalidOpcode),
            (8, 0, a => a.addps(xmm0, xmm1), ExceptionVector.InvalidOpcode),
            (8, 0, a => a.paddb(mm0, mm1), ExceptionVector.DeviceNotAvailable),
            (4, 0, a => a.paddb(mm0, mm1), ExceptionVector.InvalidOpcode),
            (12, 0, a => a.emms(), ExceptionVector.InvalidOpcode),
            (8, 0x200, a => a.stmxcsr(__[0x20000]), ExceptionVector.DeviceNotAvailable),
            (0, 0, a => a.stmxcsr(__[0x20000]), ExceptionVector.InvalidOpcode),
            (8, 0x200, a => a.fld1(), ExceptionVector.DeviceNotAvailable),
            (4, 0x200, a => a.fld1(), ExceptionVector.DeviceNotAvailable),
            (8, 0x200, a => a.fxsave(__[0x20000]), ExceptionVector.DeviceNotAvailable),
            (10, 0x200, a => a.wait(), ExceptionVector.DeviceNotAvailable),
            (8, 0x200, a => { a.wait(); a.hlt(); }, -1),
            (4, 0x200, a => { a.wait(); a.hlt(); }, -1),
            (0, 0, a => { a.paddb(mm0, mm1); a.hlt(); }, -1),
            (12, 0, a => { a.sfence(); a.popcnt(eax, ebx); a.hlt(); }, -1)])
        {
            using var machine = new SystemMachine(engine, SystemMode.Protected, code);
            machine.System.Cr0 |= cr0;
            machine.System.Cr4 = cr4;
            ControlRegisters.FollowCr0(machine.State);
            if (vector < 0)
                machine.RunToHalt();
            else
                machine.RunToException(vector);
        }
    }
}
