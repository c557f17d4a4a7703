using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>What is found in, or has been done to, a run's output folder.</summary>
/// <param name="Progress">Of the last checkpoint; null when there is none.</param>
/// <param name="Last">Folder of the last checkpoint, or empty.</param>
/// <param name="Best">Folder of the checkpoint with the lowest validation loss, or empty.</param>
[GenerateSerializer, Immutable, Alias("genslm.CheckpointInventory")]
public sealed record CheckpointInventory(
    [property: Id(0)] TrainingProgress? Progress, [property: Id(1)] string Last, [property: Id(2)] string Best);

/// <summary>A checkpoint to write.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Epoch">From 0, for the name.</param>
/// <param name="ValidationLoss">Of these parameters; null when they were not validated.</param>
/// <param name="Progress">What to remember.</param>
/// <param name="Partitions">Where the parameters and moments are.</param>
[GenerateSerializer, Immutable, Alias("genslm.CheckpointRequest")]
public sealed record CheckpointRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] int Epoch,
    [property: Id(2)] double? ValidationLoss,
    [property: Id(3)] TrainingProgress Progress,
    [property: Id(4)] PartitionMap Partitions);

/// <summary>The run's final product.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ExportReport")]
public sealed record ExportReport([property: Id(0)] string Path, [property: Id(1)] string WeightsSha256);

/// <summary>
/// Keeper of a run's output folder: key is the run id. Writes checkpoints and metrics, tracks the best validation loss,
/// exports the weights. One activation holds the folder's lock while the run is live.
/// </summary>
[Alias("genslm.ICheckpointGrain")]
public interface ICheckpointGrain : IGrainWithStringKey
{
    /// <summary>Takes the output folder; with <c>Resume</c>, looks for a checkpoint and cuts the metrics back to it.</summary>
    [Alias("open"), ResponseTimeout(LongCall.Timeout)]
    Task<CheckpointInventory> OpenAsync(string runId, RunSubmission submission, DataSummary data);

    /// <summary>Puts the last checkpoint's parameters and moments, or the spec's weights, into the partitions.</summary>
    [Alias("restore"), ResponseTimeout(LongCall.Timeout)]
    Task RestoreAsync(Fence fence, PartitionMap partitions);

    /// <summary>Appends a line to metrics.jsonl.</summary>
    [Alias("record")]
    Task RecordAsync(MetricLine line);

    /// <summary>Writes a checkpoint and drops those that are neither last nor among the best.</summary>
    [Alias("save"), ResponseTimeout(LongCall.Timeout)]
    Task<CheckpointInventory> SaveAsync(CheckpointRequest request);

    /// <summary>Writes the best checkpoint's weights, or the last one's without validation, as PyTorch reads them.</summary>
    [Alias("export"), ResponseTimeout(LongCall.Timeout)]
    Task<ExportReport> ExportAsync();

    /// <summary>One block of the parameters that <see cref="ExportAsync"/> writes: the best checkpoint's, or the last one's without validation.</summary>
    [Alias("fetchBest"), ResponseTimeout(LongCall.Timeout)]
    Task<Block> FetchBestAsync(int block);

    /// <summary>Lets go of the output folder.</summary>
    [Alias("close")]
    Task CloseAsync();
}
