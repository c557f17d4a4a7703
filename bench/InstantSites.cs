using System.Collections.Immutable;
using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>Answers that come as messages do: by way of the caller's scheduler, once it waits.</summary>
internal static class Answer
{
    public static async Task<T> WithAsync<T>(T value)
    {
        await Task.Yield();
        return value;
    }

    public static async Task DoneAsync() => await Task.Yield();
}

/// <summary>A site that has computed its shards as soon as it is told to: there is nothing left for it to yield.</summary>
internal sealed class InstantSite : ISiteGrain
{
    private static readonly WindowReport Report = new(0, []);

    public Task<WindowReport> AccumulateAsync(WindowRequest request) => Answer.WithAsync(Report);

    public Task<ShardRange> YieldAsync(long step) => Answer.WithAsync(default(ShardRange));

    public Task AbandonAsync(Fence fence) => Answer.DoneAsync();

    public Task<ValidationReport> ValidateAsync(ValidationRequest request) => throw new NotSupportedException("The run has no validation set.");

    public Task<NonFiniteRecord?> FindNonFiniteAsync(WindowRequest request) => throw new NotSupportedException("Every gradient is finite.");

    public Task<SiteStatus> GetStatusAsync() => Answer.WithAsync(new SiteStatus(0, default));

    public Task KeepAsync(Fence fence, ImmutableArray<int> partitions, ImmutableArray<string> devices) => Answer.DoneAsync();

    public Task CloseAsync(Fence fence) => Answer.DoneAsync();
}

/// <summary>A copy of a partition that has all contributions of a step as soon as it is asked.</summary>
internal sealed class InstantPartition(InstantAnswers answers, string key) : IParameterServerGrain
{
    // "run/partition-7@silo"
    private readonly int _index = int.Parse(key[(key.LastIndexOf('-', key.IndexOf('@', StringComparison.Ordinal)) + 1)..key.IndexOf('@', StringComparison.Ordinal)], CultureInfo.InvariantCulture);

    public Task<ReductionReport> ReduceAsync(Fence fence) => Answer.WithAsync(answers.Reduction(_index, fence.Step));

    public Task ApplyAsync(ApplyRequest request) => Answer.DoneAsync();

    public Task SetUpAsync(PartitionSetup setup) => Answer.DoneAsync();

    public Task FilledAsync(Fence fence) => Answer.DoneAsync();

    public Task ReleaseAsync(Fence fence) => Answer.DoneAsync();

    public Task PinAsync(CheckpointRequest snapshot) => Answer.DoneAsync();

    public Task UnpinAsync(Fence fence) => Answer.DoneAsync();

    public Task<PartitionStatus> DescribeAsync(Fence fence) => throw Unused();

    public Task PutAsync(Fence fence, BlockKind kind, Block block) => throw Unused();

    public Task<Block> FetchAsync(Fence fence, BlockKind kind, int block, Precision precision) => throw Unused();

    public Task PushAsync(Fence fence, TreePlace node, ImmutableArray<ShardTotals> totals, Block gradient) => throw Unused();

    public Task<Block> FetchReducedAsync(Fence fence, int block, Precision precision) => throw Unused();

    public Task TakeReducedAsync(Fence fence, string from) => throw Unused();

    public Task<ImmutableArray<ContributionDigest>> DescribeContributionsAsync(Fence fence) => throw Unused();

    private static NotSupportedException Unused() => new("A driver to whom nothing happens does not ask for this.");
}

/// <summary>A silo's offer, and its data.</summary>
internal sealed class InstantSilo(InstantAnswers answers, string key) : ISiloGrain
{
    private readonly SiloOffer _offer = new(key[1..], ["cpu"], false)
    {
        Cores = 8,
        Memory = [new MemoryPool(key, "the machine", 1L << 40)],
        Fingerprints = ["a processor"],
    };

    public Task<SiloOffer> DescribeAsync() => Answer.WithAsync(_offer);

    public Task<ChannelOffer?> DescribeChannelAsync() => Answer.WithAsync<ChannelOffer?>(null);

    public Task DrainAsync() => throw new NotSupportedException("Nobody leaves here.");

    public Task<DataSummary> OpenDataAsync(RunSpec spec, int sequenceLimit) => Answer.WithAsync(answers.Data);

    public Task<ImmutableArray<int>> GetRecordLengthsAsync(RunSpec spec, int sequenceLimit, string hash, int first) =>
        throw new NotSupportedException("Nobody orders records by length here.");
}

/// <summary>A device that has a replica as soon as it is told to.</summary>
internal sealed class InstantDevice : IGpuGrain
{
    public Task PrepareAsync(Fence fence, RunContext context) => Answer.DoneAsync();

    public Task<GpuStatus> GetStatusAsync() => Answer.WithAsync(new GpuStatus(0, 0, false));

    public Task ReleaseAsync(Fence fence) => Answer.DoneAsync();
}

/// <summary>A queue of one run: it gets all devices.</summary>
internal sealed class InstantQueue : IRunQueueGrain
{
    public Task EnterAsync(QueuedRun run) => Answer.DoneAsync();

    public Task LeaveAsync(string runId) => Answer.DoneAsync();

    public Task<ImmutableArray<DeviceName>> ShareAsync(string runId, ImmutableArray<DeviceName> live) => Answer.WithAsync(live);

    public Task<ImmutableArray<QueuedRun>> ListAsync() => Answer.WithAsync(ImmutableArray<QueuedRun>.Empty);
}

/// <summary>An output folder that takes everything in, and notes when each step came.</summary>
internal sealed class InstantFolder(InstantAnswers answers) : ICheckpointGrain
{
    private static readonly CheckpointInventory Empty = new(null, "", "");

    public Task<CheckpointInventory> OpenAsync(Fence fence, string instance, RunSubmission submission, DataSummary data) => Answer.WithAsync(Empty);

    public Task<CheckpointInventory> VerifyAsync(Fence fence) => Answer.WithAsync(Empty);

    public Task<string> CutAsync(Fence fence, StepRecord? last) => Answer.WithAsync("head");

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => Answer.DoneAsync();

    public Task<string> RecordStepAsync(Fence fence, StepRecord record)
    {
        answers.StepRecorded(fence.Step);
        return Answer.WithAsync("head");
    }

    public Task RecordValidationAsync(Fence fence, MetricLine line) => Answer.DoneAsync();

    public Task<CheckpointInventory> SaveAsync(CheckpointRequest request) => Answer.WithAsync(new CheckpointInventory(request.Progress, "last", "last"));

    public Task<ExportReport> ExportAsync(Fence fence) => Answer.WithAsync(new ExportReport("", "", "", null));

    public Task<ExportReport> ExportStoppedAsync(RunSubmission submission) => throw new NotSupportedException("The run is under way.");

    public Task<Block> ReadAsync(string checkpoint, int block, int length) => throw new NotSupportedException("Nothing is read.");

    public Task CloseAsync(Fence fence) => Answer.DoneAsync();
}
