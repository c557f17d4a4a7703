using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>What is found in, or has been done to, a run's output folder.</summary>
/// <param name="Progress">Of the last checkpoint; null when there is none.</param>
/// <param name="Last">Folder of the last checkpoint, or empty.</param>
/// <param name="Best">Folder of the checkpoint with the lowest validation loss, or empty.</param>
[GenerateSerializer, Immutable, Alias("genslm.CheckpointInventory")]
public sealed record CheckpointInventory(
    [property: Id(0)] TrainingProgress? Progress, [property: Id(1)] string Last, [property: Id(2)] string Best)
{
    /// <summary>A sentence on each checkpoint that was found damaged and set aside.</summary>
    [Id(3)] public ImmutableArray<string> Damaged { get; init; } = [];
}

/// <summary>A checkpoint to write.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Epoch">From 0, for the name.</param>
/// <param name="ValidationLoss">Of these parameters; null when they were not validated.</param>
/// <param name="Progress">What to remember.</param>
/// <param name="Partitions">Where the parameters and moments are pinned.</param>
/// <param name="LedgerHead">Head of the ledger's chain after the step.</param>
[GenerateSerializer, Immutable, Alias("genslm.CheckpointRequest")]
public sealed record CheckpointRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] int Epoch,
    [property: Id(2)] double? ValidationLoss,
    [property: Id(3)] TrainingProgress Progress,
    [property: Id(4)] PartitionMap Partitions,
    [property: Id(5)] string LedgerHead);

/// <summary>The run's final product.</summary>
/// <param name="Path">The exported state dict.</param>
/// <param name="WeightsSha256">Of the last checkpoint's parameters.</param>
/// <param name="LedgerHead">Head of the ledger's chain.</param>
/// <param name="RecordsSeenExactlyOnce">What the ledger says of the finished epochs; null when none is finished, or nobody has asked.</param>
[GenerateSerializer, Immutable, Alias("genslm.ExportReport")]
public sealed record ExportReport(
    [property: Id(0)] string Path,
    [property: Id(1)] string WeightsSha256,
    [property: Id(2)] string LedgerHead,
    [property: Id(3)] bool? RecordsSeenExactlyOnce);

/// <summary>
/// Keeper of a run's output folder: key is the run id. Writes checkpoints, metrics and the ledger, tracks the best
/// validation loss, exports the weights. Which checkpoints count is its persistent state, guarded by its ETag and by the
/// generation of the driver that opened it: of two activations or two drivers only the later one decides. Steps and
/// validations are recorded while a checkpoint is written or exported. What finds the disk full throws
/// <see cref="DiskFullException"/> and can be asked again.
/// </summary>
[Alias("genslm.ICheckpointGrain")]
public interface ICheckpointGrain : IGrainWithStringKey
{
    /// <summary>Takes the output folder for the driver of <c>fence.Generation</c>; says what is in it.</summary>
    /// <param name="fence">Run and generation.</param>
    /// <param name="instance">The same for all drivers of a run, and no other run's: only they may take the folder from each other.</param>
    /// <param name="submission">The run.</param>
    /// <param name="data">Its data.</param>
    [Alias("open"), ResponseTimeout(LongCall.Timeout)]
    Task<CheckpointInventory> OpenAsync(Fence fence, string instance, RunSubmission submission, DataSummary data);

    /// <summary>
    /// Looks whether the last checkpoint is whole, before the run goes on from it. If it is not, the newest that is becomes the
    /// last, and those after it are set aside and named.
    /// </summary>
    /// <exception cref="RunInputException">All are damaged.</exception>
    [Alias("verify"), ResponseTimeout(LongCall.Timeout)]
    Task<CheckpointInventory> VerifyAsync(Fence fence);

    /// <summary>
    /// Cuts metrics and ledger back to the step that the run goes on from, and sees to it that they have that step. Returns the
    /// head of the ledger's chain.
    /// </summary>
    /// <param name="fence">Run, the step, generation.</param>
    /// <param name="last">The step's record, when it was not read from a checkpoint.</param>
    [Alias("cut"), ResponseTimeout(LongCall.Timeout)]
    Task<string> CutAsync(Fence fence, StepRecord? last);

    /// <summary>Puts the last checkpoint's parameters and moments, or the spec's weights, into the partitions.</summary>
    [Alias("restore"), ResponseTimeout(LongCall.Timeout)]
    Task RestoreAsync(Fence fence, PartitionMap partitions);

    /// <summary>Appends a step to metrics.jsonl and the ledger, unless it is there. Returns the head of the ledger's chain.</summary>
    [Alias("recordStep")]
    Task<string> RecordStepAsync(Fence fence, StepRecord record);

    /// <summary>Appends a validation to metrics.jsonl, unless it is there.</summary>
    [Alias("recordValidation")]
    Task RecordValidationAsync(Fence fence, MetricLine line);

    /// <summary>Writes a checkpoint, unless the step has one, and drops those that are neither last nor among the best.</summary>
    [Alias("save"), ResponseTimeout(LongCall.Timeout)]
    Task<CheckpointInventory> SaveAsync(CheckpointRequest request);

    /// <summary>Writes the best checkpoint's weights, or the last one's without validation, as PyTorch reads them.</summary>
    [Alias("export"), ResponseTimeout(LongCall.Timeout)]
    Task<ExportReport> ExportAsync(Fence fence);

    /// <summary>The same of a run that is not under way, whose folder nobody has opened; its ledger is not verified.</summary>
    [Alias("exportStopped"), ResponseTimeout(LongCall.Timeout)]
    Task<ExportReport> ExportStoppedAsync(RunSubmission submission);

    /// <summary>One block of a checkpoint's parameters, whoever has opened the folder.</summary>
    /// <param name="checkpoint">The checkpoint's folder.</param>
    /// <param name="block">Which block.</param>
    /// <param name="length">How many parameters it has.</param>
    [Alias("read"), ResponseTimeout(LongCall.Timeout)]
    Task<Block> ReadAsync(string checkpoint, int block, int length);

    /// <summary>Lets go of the output folder.</summary>
    [Alias("close")]
    Task CloseAsync(Fence fence);
}
