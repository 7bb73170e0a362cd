using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

// Short iterations in this process: the whole takes a few minutes, and differences of 10 % can be seen.
var job = Job.Default
    .WithToolchain(InProcessEmitToolchain.Instance)
    .WithWarmupCount(3)
    .WithIterationCount(7)
    .WithIterationTime(TimeInterval.FromMilliseconds(120));
var config = DefaultConfig.Instance
    .AddJob(job)
    .HideColumns(Column.Job, Column.Error, Column.Toolchain, Column.IterationCount, Column.IterationTime, Column.WarmupCount)
    .WithOptions(ConfigOptions.DisableLogFile | ConfigOptions.JoinSummary);

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length > 0 ? args : ["--filter", "*"], config);
