using System.Runtime.CompilerServices;
using DynaTrans.Frontend.Ir;
using DynaTrans.IlBackend.Compilation;
using DynaTrans.IlBackend.Regions;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace DynaTrans.IlBackend.Tests;

/// <summary>Translators share their threads, end with their caches, and lose no more than a region to an error.</summary>
public sealed unsafe class TranslatorLifetimeTests
{
    private const int Loops = 60;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void CodeIsCollectedAfterItsCacheIsDisposed()
    {
        var regions = RunAndForget();
        Assert.NotEmpty(regions);
        for (var i = 0; i < 20 && regions.Exists(r => r.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(50);
        }

        Assert.DoesNotContain(regions, r => r.IsAlive);
    }

    [Theory]
    [InlineData(Engine.Warm)]
    [InlineData(Engine.Background)]
    public void AnErrorLosesOneRegionOnly(Engine engine)
    {
        var calls = 0;
        using var m = new BareMachine(
            engine, maxWeight: 1, heatCounter: _ => Interlocked.Increment(ref calls) == 1 ? throw new InvalidOperationException("made up") : 0)
        {
            ExpectsFailure = true,
        };
        Assemble(m);
        RunUntil(m, () => m.Translator!.Statistics.Regions >= Loops / 4);
        Assert.Equal(1, m.Translator!.Statistics.Failed);
        Assert.Contains("InvalidOperationException: made up", m.Translator.Statistics.FirstFailure);
    }

    [Fact]
    public void ACompileUnderWayIsAbandonedWhenItsCacheIsDisposed()
    {
        using var entered = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        TranslatorStatistics statistics;
        var published = 0;
        using (var m = new BareMachine(Engine.Background, maxWeight: 1, heatCounter: _ => Wait(entered, go)))
        {
            statistics = m.Translator!.Statistics;
            m.Translator.Published = _ => Interlocked.Increment(ref published);
            Assemble(m);
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.True(entered.Wait(s_patience));
        }

        go.Set();

        // The thread that it was compiled by goes on with others.
        using var other = new BareMachine(Engine.Background, maxWeight: 1);
        Assemble(other);
        RunUntil(other, () => other.Translator!.Statistics.Regions > 0);
        Assert.Equal(0, published);
        Assert.Equal(0, statistics.Regions);
        Assert.Equal(0, statistics.Failed);
    }

    [Fact]
    public void ManyRequestsOfOneDoNotHoldUpAnother()
    {
        var order = new List<char>();
        using var entered = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        using var greedy = new BareMachine(Engine.Background, maxWeight: 1, heatCounter: _ => Note(order, 'a', entered, go));
        using var modest = new BareMachine(Engine.Background, maxWeight: 1, heatCounter: _ => Note(order, 'b', null, null));
        Assemble(greedy);
        Assert.Equal(ExitCause.SoftwareInterrupt, greedy.Cpu.Run());
        Assert.True(entered.Wait(s_patience));
        Assemble(modest, loops: 1);
        Assert.Equal(ExitCause.SoftwareInterrupt, modest.Cpu.Run());
        go.Set();
        Assert.True(SpinWait.SpinUntil(() => modest.Translator!.Statistics.Regions > 0 && greedy.Translator!.Statistics.Regions >= Loops / 2, s_patience));
        lock (order)
            Assert.InRange(order.IndexOf('b'), 0, 2);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static List<WeakReference> RunAndForget()
    {
        var regions = new List<WeakReference>();
        using var m = new BareMachine(Engine.Background, maxWeight: 1);
        m.Translator!.Published = region =>
        {
            lock (regions)
                regions.Add(new WeakReference(region));
        };
        Assemble(m);
        RunUntil(m, () => m.Translator.Statistics.Regions >= Loops / 2);
        return regions;
    }

    private static nint Wait(ManualResetEventSlim entered, ManualResetEventSlim go)
    {
        entered.Set();
        go.Wait(s_patience);
        return 0;
    }

    private static nint Note(List<char> order, char who, ManualResetEventSlim? entered, ManualResetEventSlim? go)
    {
        lock (order)
            order.Add(who);
        entered?.Set();
        go?.Wait(s_patience);
        return 0;
    }

    private static void RunUntil(BareMachine m, Func<bool> done)
    {
        var end = DateTime.UtcNow + s_patience;
        while (true)
        {
            m.State->Slots[Slot.Rip] = BareMachine.Code;
            Assert.Equal(ExitCause.SoftwareInterrupt, m.Cpu.Run());
            Assert.Equal((ulong)Loops, m.State->Slots[Slot.Rax]);
            if (done())
                return;
            Assert.True(DateTime.UtcNow < end, "nothing is compiled");
        }
    }

    // Small loops one after the other. With the least weight each of their blocks is a region.
    private static void Assemble(BareMachine m, int loops = Loops)
    {
        var a = new Assembler(64);
        a.xor(eax, eax);
        for (var i = 0; i < loops; i++)
        {
            var loop = a.CreateLabel();
            a.mov(ecx, 40);
            a.Label(ref loop);
            a.dec(ecx);
            a.jnz(loop);
            a.inc(eax);
        }

        a.@int(0x80);
        m.Assemble(a);
    }
}
