using Xunit;

namespace DynaTrans.Devices.Tests;

/// <summary>The local APIC against SDM Vol. 3, chapter 11.</summary>
public sealed class LocalApicTests
{
    private const int Id = 0x20;
    private const int Version = 0x30;
    private const int TaskPriority = 0x80;
    private const int ProcessorPriority = 0xA0;
    private const int EndOfInterrupt = 0xB0;
    private const int LogicalDestination = 0xD0;
    private const int DestinationFormat = 0xE0;
    private const int Spurious = 0xF0;
    private const int InService = 0x100;
    private const int TriggerMode = 0x180;
    private const int Requests = 0x200;
    private const int ErrorStatus = 0x280;
    private const int CommandLow = 0x300;
    private const int CommandHigh = 0x310;
    private const int LvtTimer = 0x320;
    private const int LvtPerformance = 0x340;
    private const int LvtLint0 = 0x350;
    private const int LvtLint1 = 0x360;
    private const int LvtError = 0x370;
    private const int InitialCount = 0x380;
    private const int CurrentCount = 0x390;
    private const int DivideConfiguration = 0x3E0;
    private const uint Masked = 0x1_0000;
    private const uint DivideBy1 = 0b1011;

    private readonly ManualClock _clock = new();
    private readonly LocalApic _apic;
    private int _requested;
    private int _inits;

    public LocalApicTests()
    {
        _apic = new LocalApic(_clock, () => 0x08, tsc => tsc > long.MaxValue ? long.MaxValue : (long)tsc)
        {
            Requested = () => _requested++,
            InitRequested = () => _inits++,
        };
    }

    [Fact]
    public void AfterResetItIsDisabledBySoftwareAndAllIsMasked()
    {
        Assert.Equal(0u, Read(Id));
        Assert.Equal(0x0005_0014u, Read(Version));
        Assert.Equal(0xFFu, Read(Spurious));
        Assert.Equal(uint.MaxValue, Read(DestinationFormat));
        for (var lvt = LvtTimer; lvt <= LvtError; lvt += 16)
        {
            Assert.Equal(Masked, Read(lvt));
            Write(lvt, 0x40);
            Assert.Equal(Masked | 0x40, Read(lvt));
        }

        Assert.Equal(0xFEE0_0900u, _apic.Base);
        Assert.Equal(0xFEE0_0000u, _apic.Page);
    }

    [Fact]
    public void InterruptsOfHigherClassesComeFirstAndNest()
    {
        Enable();
        Send(0x45);
        Send(0x92);
        Send(0x9A);
        Assert.Equal(0x9A, Take());
        Assert.False(_apic.IsInterruptRequested);
        Assert.Equal(0x90u, Read(ProcessorPriority));
        Send(0xA0);
        Assert.Equal(0xA0, Take());
        Write(EndOfInterrupt, 0);
        Assert.False(_apic.IsInterruptRequested);
        Write(EndOfInterrupt, 0);
        Assert.Equal(0x92, Take());
        Assert.Equal(1u << (0x92 & 31), Read(InService + 0x40));
        Assert.Equal(1u << (0x45 & 31), Read(Requests + 0x20));
        Write(EndOfInterrupt, 0);
        Assert.Equal(0x45, Take());
        Write(EndOfInterrupt, 0);
        Assert.Equal(0u, Read(ProcessorPriority));
    }

    [Fact]
    public void TaskPriorityHoldsBackItsClassAndLower()
    {
        Enable();
        Write(TaskPriority, 0x45);
        Assert.Equal(4, _apic.TaskPriority);
        Send(0x4F);
        Assert.False(_apic.IsInterruptRequested);
        Assert.Equal(0x45u, Read(ProcessorPriority));
        var before = _requested;
        _apic.TaskPriority = 3;
        Assert.Equal(before + 1, _requested);
        Assert.Equal(0x30u, Read(TaskPriority));
        Assert.Equal(0x4F, Take());
        Assert.Equal(0x40u, Read(ProcessorPriority));
    }

    [Fact]
    public void RequestThatHasGoneGivesTheSpuriousVector()
    {
        Enable(0xF7);
        Send(0x50);
        Write(TaskPriority, 0xF0);
        Assert.Equal(0xF7, _apic.AcknowledgeInterrupt());
        Assert.Equal(0u, Read(InService + 0x70));
    }

    [Fact]
    public void DisabledBySoftwareItAcceptsNothingButKeepsWhatItHas()
    {
        Enable();
        Write(LvtTimer, 0x40);
        Send(0x60);
        Write(Spurious, 0xFF);
        Assert.Equal(Masked | 0x40, Read(LvtTimer));
        Send(0x70);
        Assert.Equal(0x60, Take());
        Write(EndOfInterrupt, 0);
        Assert.False(_apic.IsInterruptRequested);
        Write(CommandLow, 0x400);
        Assert.True(_apic.IsNmiRequested);
    }

    [Theory]
    [InlineData(0x0_4041u, 0x00, true)]
    [InlineData(0x0_4041u, 0xFF, true)]
    [InlineData(0x0_4041u, 0x01, false)]
    [InlineData(0x4_4041u, 0x01, true)]
    [InlineData(0x8_4041u, 0x01, true)]
    [InlineData(0xC_4041u, 0x00, false)]
    [InlineData(0x0_4841u, 0x06, true)]
    [InlineData(0x0_4841u, 0x05, false)]
    [InlineData(0x0_4141u, 0x00, true)]
    [InlineData(0x4_4141u, 0x00, false)]
    public void CommandsReachWhomTheyName(uint command, uint destination, bool isTaken)
    {
        Enable();
        Write(LogicalDestination, 0x0200_0000);
        Write(CommandHigh, destination << 24);
        Write(CommandLow, command);
        Assert.Equal(isTaken, _apic.IsInterruptRequested);
        Assert.Equal(command & ~0x1000u, Read(CommandLow));
    }

    [Theory]
    [InlineData(0x12u, true)]
    [InlineData(0x14u, false)]
    [InlineData(0x22u, false)]
    [InlineData(0xF2u, true)]
    public void ClusterModelComparesClusterAndMember(uint destination, bool isTaken)
    {
        Enable();
        Write(DestinationFormat, 0);
        Assert.Equal(0x0FFF_FFFFu, Read(DestinationFormat));
        Write(LogicalDestination, 0x1200_0000);
        Write(CommandHigh, destination << 24);
        Write(CommandLow, 0x4841);
        Assert.Equal(isTaken, _apic.IsInterruptRequested);
    }

    [Fact]
    public void NmiAndInitGoToTheProcessor()
    {
        Write(CommandLow, 0x4400);
        Assert.True(_apic.IsNmiRequested);
        _apic.AcknowledgeNmi();
        Assert.False(_apic.IsNmiRequested);
        Write(CommandLow, 0x0000_8500);
        Assert.Equal(0, _inits);
        Write(CommandLow, 0x0000_C500);
        Assert.Equal(1, _inits);
        Write(CommandLow, 0x000C_4500);
        Write(CommandLow, 0x0000_4602);
        Assert.Equal(1, _inits);
    }

    [Fact]
    public void ErrorsShowAfterAWriteAndInterruptOnce()
    {
        Enable();
        Write(LvtError, 0x55);
        Write(CommandLow, 0x4_4005);
        Assert.Equal(0u, Read(ErrorStatus));
        Assert.Equal(0x55, Take());
        Write(EndOfInterrupt, 0);
        Read(0x3F0);
        Assert.False(_apic.IsInterruptRequested);
        Write(ErrorStatus, 0);
        Assert.Equal(0xA0u, Read(ErrorStatus));
        Write(ErrorStatus, 0);
        Assert.Equal(0u, Read(ErrorStatus));

        // A vector below 16 from the local vector table is a receive error.
        Write(LvtTimer, 3);
        Write(InitialCount, 1);
        _clock.Advance(100);
        Assert.Equal(0x55, Take());
        Write(ErrorStatus, 0);
        Assert.Equal(0x40u, Read(ErrorStatus));
    }

    [Fact]
    public void OneShotTimerCountsDownOnce()
    {
        Enable();
        Write(LvtTimer, 0x31);
        Write(DivideConfiguration, 0b0011);
        Write(InitialCount, 100);
        _clock.Advance(16 * 40 + 1);
        Assert.Equal(60u, Read(CurrentCount));
        _clock.Advance(16 * 60 - 2);
        Assert.False(_apic.IsInterruptRequested);
        Assert.Equal(1u, Read(CurrentCount));
        _clock.Advance(1);
        Assert.Equal(0x31, Take());
        Write(EndOfInterrupt, 0);
        Assert.Equal(0u, Read(CurrentCount));
        Assert.Equal(100u, Read(InitialCount));
        _clock.Advance(1_000_000);
        Assert.False(_apic.IsInterruptRequested);
    }

    [Theory]
    [InlineData(0b0000, 2)]
    [InlineData(0b0001, 4)]
    [InlineData(0b0010, 8)]
    [InlineData(0b0011, 16)]
    [InlineData(0b1000, 32)]
    [InlineData(0b1001, 64)]
    [InlineData(0b1010, 128)]
    [InlineData(0b1011, 1)]
    public void TimerDividesItsClock(uint configuration, int divisor)
    {
        Write(DivideConfiguration, configuration | 0xFFFF_FFF4);
        Assert.Equal(configuration, Read(DivideConfiguration));
        Write(InitialCount, uint.MaxValue);
        _clock.Drift(divisor * 1000L);
        Assert.Equal(uint.MaxValue - 1000, Read(CurrentCount));
    }

    [Fact]
    public void ChangeOfTheDivisorKeepsTheCount()
    {
        Write(DivideConfiguration, DivideBy1);
        Write(InitialCount, 1000);
        _clock.Drift(400);
        Write(DivideConfiguration, 0b0011);
        Assert.Equal(600u, Read(CurrentCount));
        _clock.Drift(160);
        Assert.Equal(590u, Read(CurrentCount));
    }

    [Fact]
    public void PeriodicTimerKeepsItsPhase()
    {
        Enable();
        Write(DivideConfiguration, DivideBy1);
        Write(LvtTimer, 0x2_0031);
        Write(InitialCount, 1_000_000);
        for (var i = 1; i <= 5; i++)
        {
            _clock.AdvanceTo(i * 1_000_000 - 1);
            Assert.False(_apic.IsInterruptRequested);
            Assert.Equal(1u, Read(CurrentCount));
            _clock.Advance(1);
            Assert.Equal(0x31, Take());
            Write(EndOfInterrupt, 0);
        }

        // The host was busy for two periods and a half: one interrupt, then the phase as before.
        _clock.Jump(2_500_000);
        Assert.Equal(0x31, Take());
        Write(EndOfInterrupt, 0);
        Assert.False(_apic.IsInterruptRequested);
        _clock.AdvanceTo(7_999_999);
        Assert.False(_apic.IsInterruptRequested);
        _clock.Advance(1);
        Assert.Equal(0x31, Take());
        Write(InitialCount, 0);
        Write(EndOfInterrupt, 0);
        _clock.Advance(10_000_000);
        Assert.False(_apic.IsInterruptRequested);
    }

    [Fact]
    public void MaskedTimerCountsWithoutADeadline()
    {
        Enable();
        Write(DivideConfiguration, DivideBy1);
        Write(LvtTimer, 0x3_0031);
        Write(InitialCount, 1000);
        Assert.Equal(long.MaxValue, _clock.NextDeadline);
        _clock.Drift(2300);
        Assert.Equal(700u, Read(CurrentCount));
        Write(LvtTimer, 0x2_0031);
        Assert.Equal(3000, _clock.NextDeadline);
    }

    [Fact]
    public void TheCountGoesOnWhenTheModeChanges()
    {
        Enable();
        Write(DivideConfiguration, DivideBy1);
        Write(LvtTimer, 0x31);
        Write(InitialCount, 1000);
        _clock.Drift(600);
        Write(LvtTimer, 0x2_0031);
        Assert.Equal(400u, Read(CurrentCount));
        _clock.Drift(1500);
        Assert.Equal(900u, Read(CurrentCount));
        Write(LvtTimer, 0x31);
        Assert.Equal(900u, Read(CurrentCount));
        Assert.Equal(0x31, Take());
        Write(EndOfInterrupt, 0);
        _clock.Advance(900);
        Assert.Equal(0x31, Take());
        Write(EndOfInterrupt, 0);

        // A count that has stopped does not start again.
        Write(LvtTimer, 0x2_0031);
        Assert.Equal(0u, Read(CurrentCount));
        _clock.Advance(5000);
        Assert.False(_apic.IsInterruptRequested);
        Assert.Equal(1000u, Read(InitialCount));
    }

    [Fact]
    public void WhatIsDueIsNotLostToAWrite()
    {
        Enable();
        Write(DivideConfiguration, DivideBy1);
        foreach (var register in new[] { InitialCount, DivideConfiguration, LvtTimer })
        {
            Write(LvtTimer, 0x31);
            Write(InitialCount, 1000);
            _clock.Drift(1000);
            Write(register, register == LvtTimer ? 0x1_0031u : 0b1011u);
            Assert.Equal(0x31, Take());
            Write(EndOfInterrupt, 0);
            Write(InitialCount, 0);
            _clock.RunDue();
            Assert.False(_apic.IsInterruptRequested);
        }
    }

    [Fact]
    public void ShortPeriodsDoNotDrownTheHost()
    {
        Enable();
        Write(DivideConfiguration, DivideBy1);
        Write(LvtTimer, 0x2_0031);
        Write(InitialCount, 1);
        var before = _requested;
        for (var i = 0; i < 1000; i++)
        {
            _clock.Advance(1000);
            if (_apic.IsInterruptRequested)
            {
                Take();
                Write(EndOfInterrupt, 0);
            }
        }

        Assert.InRange(_requested - before, 10, 60);
    }

    [Fact]
    public void TscDeadlineInterruptsOnce()
    {
        Enable();
        _apic.Deadline = 500;
        Assert.Equal(0u, _apic.Deadline);
        Write(LvtTimer, 0x4_0031);
        Write(InitialCount, 100);
        Assert.Equal(0u, Read(InitialCount));
        _apic.Deadline = 500;
        Assert.Equal(500u, _apic.Deadline);
        _clock.Advance(499);
        Assert.False(_apic.IsInterruptRequested);
        _clock.Advance(1);
        Assert.Equal(0x31, Take());
        Assert.Equal(0u, _apic.Deadline);
        Write(EndOfInterrupt, 0);
        _apic.Deadline = 300;
        _clock.RunDue();
        Assert.Equal(0x31, Take());
        Write(EndOfInterrupt, 0);
        _apic.Deadline = 10_000;
        Write(LvtTimer, 0x31);
        Assert.Equal(0u, _apic.Deadline);
        _clock.Advance(20_000);
        Assert.False(_apic.IsInterruptRequested);
    }

    [Fact]
    public void WithoutTscDeadlineTheModeCannotBeSet()
    {
        var apic = new LocalApic(_clock, () => 0);
        Assert.False(apic.HasTscDeadline);
        apic.Write(Spurious, 4, 0x1FF);
        apic.Write(LvtTimer, 4, 0x4_0031);
        Assert.Equal(0x31u, apic.Read(LvtTimer, 4));
    }

    [Fact]
    public void PicPassesWhereTheApicIsDisabledOrInVirtualWireMode()
    {
        _apic.Lint0.Set(true);
        Assert.False(_apic.IsInterruptRequested);
        _apic.EnterVirtualWireMode();
        Assert.Equal(0x700u, Read(LvtLint0));
        Assert.Equal(0x400u, Read(LvtLint1));
        Assert.True(_apic.IsInterruptRequested);
        Write(TaskPriority, 0xFF);
        Assert.Equal(0x08, _apic.AcknowledgeInterrupt());
        _apic.Lint0.Set(false);
        Assert.False(_apic.IsInterruptRequested);
        Write(LvtLint0, Masked | 0x700);
        _apic.Lint0.Set(true);
        Assert.False(_apic.IsInterruptRequested);
        var before = _requested;
        Assert.True(_apic.TrySetBase(0xFEE0_0100));
        Assert.True(_requested > before);
        Assert.True(_apic.IsInterruptRequested);
        Assert.Equal(0x08, _apic.AcknowledgeInterrupt());
        _apic.Lint1.Pulse();
        Assert.True(_apic.IsNmiRequested);
    }

    [Fact]
    public void PicIsAskedBeforeInterruptsOfTheApic()
    {
        Enable();
        _apic.EnterVirtualWireMode();
        Send(0x50);
        _apic.Lint0.Set(true);
        Assert.Equal(0x08, _apic.AcknowledgeInterrupt());
        _apic.Lint0.Set(false);
        Assert.Equal(0x50, Take());
    }

    [Fact]
    public void LocalPinsDoWhatTheirEntriesSay()
    {
        Enable();
        Write(LvtLint1, 0x400);
        _apic.Lint1.Set(true);
        Assert.True(_apic.IsNmiRequested);
        Write(LvtLint0, 0x61);
        _apic.Lint0.Pulse();
        Assert.Equal(0x61, Take());
        Write(EndOfInterrupt, 0);

        // Level-triggered: remote IRR until the end of the interrupt, then again while the level is there.
        Write(LvtLint0, 0x8062);
        _apic.Lint0.Set(true);
        Assert.Equal(0xC062u, Read(LvtLint0));
        Assert.Equal(1u << 2, Read(TriggerMode + 0x30));
        Assert.Equal(0x62, Take());
        Write(EndOfInterrupt, 0);
        Assert.Equal(0x62, Take());
        _apic.Lint0.Set(false);
        Write(EndOfInterrupt, 0);
        Assert.Equal(0x8062u, Read(LvtLint0));
        Assert.False(_apic.IsInterruptRequested);
        Write(LvtPerformance, 0xFFFF_FFFF);
        Assert.Equal(0x1_07FFu, Read(LvtPerformance));
    }

    [Fact]
    public void BaseHasReservedBitsAndMovesThePage()
    {
        ulong? page = 1;
        _apic.PageMoved = p => page = p;
        Assert.False(_apic.TrySetBase(0xFEE0_0D00));
        Assert.False(_apic.TrySetBase(0x80_FEE0_0900));
        Assert.True(_apic.TrySetBase(0x1_2345_6800));
        Assert.Equal(0x1_2345_6000u, page);
        Enable();
        Assert.True(_apic.TrySetBase(0x1_2345_6000));
        Assert.Null(page);
        Assert.True(_apic.TrySetBase(0xFEE0_0900));
        Assert.Equal(0xFEE0_0000u, page);
        Assert.Equal(0xFFu, Read(Spurious));
    }

    [Fact]
    public void InitKeepsIdentifierAndBase()
    {
        Enable();
        Write(Id, 0x0300_0000);
        _apic.TrySetBase(0x1000_0900);
        Send(0x40);
        _apic.Init();
        Assert.Equal(0x0300_0000u, Read(Id));
        Assert.Equal(0x1000_0900u, _apic.Base);
        Assert.False(_apic.IsInterruptRequested);
        _apic.Reset();
        Assert.Equal(0u, Read(Id));
        Assert.Equal(LocalApic.BaseAtReset, _apic.Base);
    }

    [Fact]
    public void OddAccessesAreHarmless()
    {
        Enable();
        Assert.Equal(0x05u, _apic.Read(Version + 2, 1));
        Assert.Equal(0x0014u, _apic.Read(Version, 2));
        Assert.Equal(0x0005_0014u, _apic.Read(Version, 8));
        Assert.Equal(0u, _apic.Read(Version + 4, 4));
        _apic.Write(TaskPriority, 1, 0x40);
        _apic.Write(TaskPriority + 4, 4, 0x40);
        _apic.Write(TaskPriority, 8, 0x40);
        Assert.Equal(0u, Read(TaskPriority));
    }

    // The registers that an operating system uses for each interrupt and for each timer that it sets.
    [Fact]
    public void FrequentAccessesDoNotAllocate()
    {
        Enable();
        Write(LvtTimer, 0x31);
        var before = 0L;
        for (var i = 0; i < 1000; i++)
        {
            if (i == 10)
                before = GC.GetAllocatedBytesForCurrentThread();
            Write(InitialCount, 1000);
            Send(0x40);
            Write(TaskPriority, 0x10);
            _clock.Advance(5000);
            while (_apic.IsInterruptRequested)
            {
                _apic.AcknowledgeInterrupt();
                Write(EndOfInterrupt, 0);
            }
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void StateIsSavedWhole()
    {
        Enable();
        Write(LvtLint0, 0x8062);
        Write(DivideConfiguration, DivideBy1);
        Write(LvtTimer, 0x2_0031);
        Write(InitialCount, 1_000_000);
        _apic.Lint0.Set(true);
        Take();
        Send(0x45);
        Write(CommandLow, 0x4400);
        _clock.Advance(300_000);

        var clock = new ManualClock();
        clock.AdvanceTo(_clock.Now);
        var other = new LocalApic(clock, () => 0, tsc => (long)tsc);
        States.Copy(_apic, other);
        for (var register = 0; register < 0x400; register += 16)
            if (register is not (>= 0x3F0 or < 0x20))
                Assert.Equal(Read(register), other.Read((ulong)register, 4));
        Assert.True(other.IsNmiRequested);
        Assert.True(other.Lint0.Level);
        Assert.Equal(_clock.NextDeadline, clock.NextDeadline);
        other.Write(EndOfInterrupt, 4, 0);
        Assert.Equal(0x62, other.AcknowledgeInterrupt());
    }

    private void Enable(byte spuriousVector = 0xFF) => Write(Spurious, 0x100u | spuriousVector);

    // An interprocessor interrupt to itself.
    private void Send(byte vector) => Write(CommandLow, 0x4_4000u | vector);

    private int Take()
    {
        Assert.True(_apic.IsInterruptRequested);
        return _apic.AcknowledgeInterrupt();
    }

    private uint Read(int register) => (uint)_apic.Read((ulong)register, 4);

    private void Write(int register, uint value) => _apic.Write((ulong)register, 4, value);
}
