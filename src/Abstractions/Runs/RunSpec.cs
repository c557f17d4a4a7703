using System.Text.Json;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Everything that decides a run's weights, and where they go. The defaults are the Python script's. Each property is a
/// key of the run file and, in kebab case, an option of the console.
/// </summary>
[GenerateSerializer, Immutable, Alias("genslm.RunSpec")]
public sealed record RunSpec
{
    /// <summary>The data files, one a line (<see cref="FileList"/>): FASTA, plain or gzipped, or GenSLM's HDF5.</summary>
    [Id(0)] public string Data { get; init; } = "";

    /// <summary>A preset's name or the path of a Hugging Face config.json.</summary>
    [Id(1)] public string Model { get; init; } = "tiny";

    /// <summary>Weights to start from; empty: from scratch.</summary>
    [Id(2)] public string Weights { get; init; } = "";

    /// <summary>The folder that receives checkpoints, metrics and the exported weights.</summary>
    [Id(3)] public string Output { get; init; } = "";

    [Id(4)] public int BatchSize { get; init; } = 2;

    /// <summary>Micro-batches of each shard between two optimizer steps.</summary>
    [Id(5)] public int AccumulationSteps { get; init; } = 10;

    [Id(6)] public double LearningRate { get; init; } = 1e-5;

    [Id(7)] public int Epochs { get; init; } = 3;

    /// <summary>Stop after so many optimizer steps; 0: when the epochs are done.</summary>
    [Id(8)] public long MaxSteps { get; init; }

    /// <summary>Data shards: part of the run, whatever the cluster.</summary>
    [Id(9)] public int Shards { get; init; } = 1;

    /// <summary>Tokens a record is cut to; 0: the model's positions.</summary>
    [Id(10)] public int SeqLength { get; init; }

    [Id(11)] public ulong Seed { get; init; } = 42;

    /// <summary>Share of the records set aside for validation, when <see cref="ValData"/> is empty.</summary>
    [Id(12)] public double ValFraction { get; init; } = 0.2;

    /// <summary>See <see cref="ValidationInterval"/>.</summary>
    [Id(13)] public string ValEvery { get; init; } = "1epoch";

    /// <summary>Validate on the first so many batches; 0: on all.</summary>
    [Id(14)] public int LimitValBatches { get; init; }

    [Id(15)] public bool Shuffle { get; init; } = true;

    [Id(16)] public Precision Precision { get; init; }

    [Id(17)] public Padding Padding { get; init; }

    [Id(18)] public PadCounting PadTokens { get; init; }

    [Id(19)] public GradientScalingMode GradientScaling { get; init; }

    /// <summary>Largest global gradient norm; 0: no clipping.</summary>
    [Id(20)] public double GradientClip { get; init; }

    [Id(21)] public OptimizerKind Optimizer { get; init; }

    [Id(22)] public double WeightDecay { get; init; }

    [Id(23)] public LearningRateScheduleKind Schedule { get; init; }

    [Id(24)] public long WarmupSteps { get; init; }

    /// <summary>How many checkpoints with the lowest validation loss are kept; -1: all.</summary>
    [Id(25)] public int KeepBest { get; init; } = 1;

    /// <summary>What checkpoint names begin with.</summary>
    [Id(26)] public string CheckpointName { get; init; } = "genslm";

    /// <summary>Validations without improvement after which the run ends; 0: never.</summary>
    [Id(27)] public int EarlyStoppingPatience { get; init; }

    /// <summary>Put in front of Hugging Face's names in the exported state dict.</summary>
    [Id(28)] public string KeyPrefix { get; init; } = "model.";

    /// <summary>Intra-op threads of a replica; the bits depend on it, so it belongs to the run.</summary>
    [Id(29)] public int Threads { get; init; } = 1;

    /// <summary>What to do with a step whose gradient is not finite.</summary>
    [Id(40)] public NonFiniteAction OnNonfinite { get; init; }

    /// <summary>Runs of a higher priority get devices first; of equals, the one submitted first.</summary>
    [Id(41)] public int Priority { get; init; }

    /// <summary>The run waits while it has fewer devices.</summary>
    [Id(42)] public int MinDevices { get; init; } = 1;

    /// <summary>The most devices the run takes; 0: as many as it has shards for.</summary>
    [Id(43)] public int MaxDevices { get; init; }

    /// <summary>Compute with the rotary frequencies that the weights' file stores, as GenSLM's pinned transformers does, instead of exact ones.</summary>
    [Id(60)] public bool RotaryFromCheckpoint { get; init; }

    /// <summary>Files of the validation set, as <see cref="Data"/>; empty: a share of the data is set aside.</summary>
    [Id(70)] public string ValData { get; init; } = "";

    /// <summary>Files of the test set, as <see cref="Data"/>; empty: none. The best weights' loss on it is part of the summary.</summary>
    [Id(71)] public string TestData { get; init; } = "";

    /// <summary>Where in the sequences of all sets the codons begin.</summary>
    [Id(72)] public FrameChoice Frame { get; init; }

    /// <summary>Leave the gap characters of an alignment out of the sequences, before the frame is chosen.</summary>
    [Id(73)] public bool StripGaps { get; init; }

    /// <summary>Records of similar length come into the same micro-batch, so that less is padded.</summary>
    [Id(74)] public bool BucketByLength { get; init; }

    /// <summary>Records of a batch of the validation or the test set, which is computed without gradients; 0: <see cref="BatchSize"/>.</summary>
    [Id(75)] public int ValBatchSize { get; init; }

    /// <summary>Go on from a checkpoint on devices of another kind than the run began on, at the price of its bits.</summary>
    [Id(90)] public bool AcceptOtherDevice { get; init; }

    /// <summary>
    /// What sums of gradients are rounded to wherever they are added and sent: with bf16 half as much crosses the network. Every sum of the tree is
    /// rounded, each shard's own included, so that the bits do not depend on where the shards are.
    /// </summary>
    [Id(91)] public Precision Exchange { get; init; }

    /// <summary>Whether there is anything to validate on.</summary>
    [JsonIgnore] public bool Validates => ValData.Length > 0 || ValFraction > 0;

    /// <summary>Records of a batch that a loss is measured on.</summary>
    [JsonIgnore] public int EvaluationBatchSize => ValBatchSize == 0 ? BatchSize : ValBatchSize;

    /// <summary>How run files, run.json and the wire write a spec.</summary>
    public static JsonSerializerOptions JsonOptions { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>What is wrong with the spec, a sentence each; empty when it is sound.</summary>
    public IEnumerable<string> Validate()
    {
        string[] form = [.. RunSpecForm.Problems(this)];
        return form.Length > 0 ? form : [.. RunSpecBounds.Problems(this)];
    }
}
