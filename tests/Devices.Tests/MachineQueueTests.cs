using Xunit;

namespace DynaTrans.Devices.Tests;

public sealed class MachineQueueTests
{
    [Fact]
    public void WorkRunsInOrderAndOnce()
    {
        var posts = 0;
        var queue = new MachineQueue(() => posts++);
        var log = new List<int>();
        queue.Post(() => log.Add(1));
        queue.Post(() => queue.Post(() => log.Add(3)));
        queue.Post(() => log.Add(2));
        queue.RunAll();
        Assert.Equal([1, 2], log);
        Assert.False(queue.IsEmpty);
        queue.RunAll();
        queue.RunAll();
        Assert.Equal([1, 2, 3], log);
        Assert.Equal(4, posts);
    }

    [Fact]
    public void ManyThreadsPost()
    {
        var queue = new MachineQueue();
        var sum = 0;
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 1000; i++)
                queue.Post(() => sum++);
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        queue.RunAll();
        Assert.Equal(4000, sum);
    }
}
