using Orleans.Concurrency;

namespace GenSlmOrleans.Abstractions;

/// <summary>What is submitted: a spec and what the console resolved for it.</summary>
/// <param name="Spec">The run's spec; paths are absolute.</param>
/// <param name="ModelConfig">The architecture, as a Hugging Face config.json.</param>
/// <param name="Resume">Go on from the output folder's last checkpoint instead of starting anew.</param>
[GenerateSerializer, Immutable, Alias("genslm.RunSubmission")]
public sealed record RunSubmission([property: Id(0)] RunSpec Spec, [property: Id(1)] string ModelConfig, [property: Id(2)] bool Resume)
{
    /// <summary>What the run's devices have in common, that its bits depend on; empty until its first driver has seen them.</summary>
    [Id(3)] public string DeviceFingerprint { get; init; } = "";
}

/// <summary>
/// A training job: one activation per run id. It drives the optimizer steps and holds no tensor. What it has been told is
/// its persistent state: wherever it is activated next, the run goes on.
/// </summary>
[Alias("genslm.ITrainingRunGrain")]
public interface ITrainingRunGrain : IGrainWithStringKey
{
    /// <summary>Starts the run; returns at once. Starting a run that is under way does nothing.</summary>
    [Alias("start")]
    Task StartAsync(RunSubmission submission);

    /// <summary>Asks the run to stop at the next step boundary, with a checkpoint to resume from; returns at once.</summary>
    [Alias("pause"), AlwaysInterleave]
    Task PauseAsync();

    /// <summary>Goes on with a run that was paused or has failed, from its last checkpoint; returns at once.</summary>
    /// <exception cref="RunInputException">The run is not one to go on with.</exception>
    [Alias("resume")]
    Task ResumeAsync();

    /// <summary>
    /// Goes on as <see cref="ResumeAsync"/> does, on whichever kind of device the cluster has most of, though its bits may differ from those
    /// of the kind that the run began on; also with a run that waits. One that computes stays where it is.
    /// </summary>
    /// <exception cref="RunInputException">The run is not one to go on with.</exception>
    [Alias("resume-on-other-devices")]
    Task ResumeOnOtherDevicesAsync();

    /// <summary>Ends the run for good at the next step boundary; returns at once.</summary>
    [Alias("cancel")]
    Task CancelAsync();

    /// <summary>Writes the weights of the best checkpoint so far; the run goes on.</summary>
    /// <exception cref="RunInputException">There is no checkpoint yet.</exception>
    [Alias("export"), AlwaysInterleave, ResponseTimeout(LongCall.Timeout)]
    Task<ExportReport> ExportAsync();

    /// <summary>What was submitted; null for a run that the cluster does not know.</summary>
    [Alias("submission"), AlwaysInterleave]
    Task<RunSubmission?> GetSubmissionAsync();

    /// <summary>Where the run stands, with the events after <paramref name="afterSequence"/>.</summary>
    [Alias("status"), AlwaysInterleave]
    Task<RunStatus> GetStatusAsync(long afterSequence);
}
