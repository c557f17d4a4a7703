using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a run is to do.</summary>
public enum RunWish
{
    Run,
    Pause,
    Cancel,
}

/// <summary>What a run grain must not forget: its persistent state. The ETag sees to it that of two activations one stops.</summary>
[GenerateSerializer, Alias("genslm.RunRecord")]
public sealed class RunRecord : IStampedRecord
{
    [Id(0)] public RunSubmission? Submission { get; set; }

    /// <summary>Tells this run from any other that was ever started under its id.</summary>
    [Id(1)] public string Instance { get; set; } = "";

    /// <summary>Of the latest driver.</summary>
    [Id(2)] public long Generation { get; set; }

    [Id(3)] public RunWish Wish { get; set; }

    [Id(4)] public DateTimeOffset Submitted { get; set; }

    /// <summary>Where the parameters are; null when they are nowhere but in checkpoints.</summary>
    [Id(5)] public PartitionMap? Partitions { get; set; }

    /// <summary>How it ended; null while it is to go on.</summary>
    [Id(6)] public RunStatus? Final { get; set; }

    /// <summary>Numbers that outlive a driver: shards reassigned, micro-batches repeated, steps replayed.</summary>
    [Id(7)] public long ShardsReassigned { get; set; }

    [Id(8)] public long RepeatedMicroBatches { get; set; }

    [Id(9)] public long ReplayedSteps { get; set; }

    /// <summary>Hash of the data that the run goes on with; empty until a driver has seen them.</summary>
    [Id(10)] public string DataHash { get; set; } = "";

    [Id(11)] public WriteStamp? LastWrite { get; set; }

    /// <summary>See <see cref="PreparationCount"/>.</summary>
    [Id(12)] public int Preparations { get; set; }

    /// <summary>Whether it has made a step with the settings that it has.</summary>
    [Id(13)] public bool HasTrained { get; set; }

    /// <summary>What the devices that the run goes on with have in common; empty until a driver has seen them.</summary>
    [Id(30)] public string DeviceFingerprint { get; set; } = "";
}
