using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What <c>genslm chaos</c> is told.</summary>
internal sealed record ChaosSettings
{
    public int Runs { get; init; } = 10;

    public ulong Seed { get; init; } = 1;

    /// <summary>The run to begin with, from 1: to have one that failed again.</summary>
    public int FirstRun { get; init; } = 1;

    public string Data { get; init; } = "";

    /// <summary>A preset, or a Hugging Face config.json.</summary>
    public string Model { get; init; } = "tiny";

    /// <summary>Epochs of a run.</summary>
    public int Epochs { get; init; } = 6;

    /// <summary>Silos that a run begins with, and is brought back to.</summary>
    public int Silos { get; init; } = 3;

    /// <summary>What schedules are drawn from.</summary>
    public ImmutableArray<FaultKind> Kinds { get; init; } = [.. Enum.GetValues<FaultKind>()];

    /// <summary>The schedule of every run; default: drawn for each.</summary>
    public ImmutableArray<Fault> Faults { get; init; }

    /// <summary>Between two kills of a storm; null: no storm.</summary>
    public TimeSpan? Storm { get; init; }

    /// <summary>How long the storm lasts.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>A trace to replay; default: none.</summary>
    public ImmutableArray<SpotEvent> Trace { get; init; }

    /// <summary>Within which time silos are declared dead: theirs to say (GENSLM_FAILURE_DETECTION).</summary>
    public TimeSpan FailureDetection { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Where runs, their logs and their data go.</summary>
    public string Folder { get; init; } = "";

    /// <summary>Keep also what passed.</summary>
    public bool Keep { get; init; }

    /// <summary>
    /// The run that all are: small steps, a few epochs, a validation and a checkpoint every few steps, more shards than
    /// silos, and a schedule and a moment that remember.
    /// </summary>
    /// <exception cref="UsageException">Data or model are not as they should be.</exception>
    public RunSubmission Submission(string output)
    {
        var spec = new RunSpec
        {
            Data = Data,
            Model = Model,
            Output = output,
            Shards = 6,
            BatchSize = 2,
            AccumulationSteps = 4,
            SeqLength = 128,
            LearningRate = 3e-3,
            GradientClip = 1,
            Schedule = LearningRateScheduleKind.Cosine,
            WarmupSteps = 4,
            Epochs = Epochs,
            ValEvery = "3",
            LimitValBatches = 6,
            Threads = 1,
        };
        return SubmissionCheck.Resolve(new TrainSettings { Spec = spec });
    }
}
