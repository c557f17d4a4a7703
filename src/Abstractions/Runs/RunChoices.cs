using System.Text.Json.Serialization;

namespace GenSlmOrleans.Abstractions;

/// <summary>What forward and backward compute in, or what gradients are exchanged in; the master weights are fp32 either way.</summary>
public enum Precision
{
    [JsonStringEnumMemberName("fp32")] Fp32,
    [JsonStringEnumMemberName("bf16")] Bf16,
}

/// <summary>How far the records of a micro-batch are padded.</summary>
public enum Padding
{
    /// <summary>To the longest record of the micro-batch.</summary>
    [JsonStringEnumMemberName("longest")] Longest,

    /// <summary>To the run's sequence length, as the Python script does.</summary>
    [JsonStringEnumMemberName("max_length")] MaxLength,
}

/// <summary>Whether padding counts in the loss.</summary>
public enum PadCounting
{
    [JsonStringEnumMemberName("ignore")] Ignore,

    /// <summary>As GenSLM's own forward: labels are the input ids, padding included.</summary>
    [JsonStringEnumMemberName("count")] Count,
}

/// <summary>How a window's gradients become one (DESIGN §6).</summary>
public enum GradientScalingMode
{
    [JsonStringEnumMemberName("tokens")] Tokens,
    [JsonStringEnumMemberName("micro-batches")] MicroBatches,
    [JsonStringEnumMemberName("accumulation-steps")] AccumulationSteps,
}

public enum OptimizerKind
{
    /// <summary>torch.optim.Adam: weight decay is added to the gradient.</summary>
    [JsonStringEnumMemberName("adam")] Adam,

    /// <summary>torch.optim.AdamW: weight decay is applied to the parameters.</summary>
    [JsonStringEnumMemberName("adamw")] AdamW,
}

/// <summary>How the learning rate changes over the steps.</summary>
public enum LearningRateScheduleKind
{
    [JsonStringEnumMemberName("constant")] Constant,

    /// <summary>Rises linearly over the warm-up steps, then stays.</summary>
    [JsonStringEnumMemberName("linear")] Linear,

    /// <summary>Rises linearly over the warm-up steps, then falls to 0 along a cosine.</summary>
    [JsonStringEnumMemberName("cosine")] Cosine,

    /// <summary>Divided by ten whenever the validation loss has stopped falling.</summary>
    [JsonStringEnumMemberName("plateau")] Plateau,
}

/// <summary>What to do with an optimizer step whose gradient holds NaN or infinity.</summary>
public enum NonFiniteAction
{
    /// <summary>End the run, as failed, with a checkpoint to go on from.</summary>
    [JsonStringEnumMemberName("stop")] Stop,

    /// <summary>Count the step and leave parameters and moments as they are.</summary>
    [JsonStringEnumMemberName("skip-step")] SkipStep,
}

/// <summary>Where in a sequence the codons begin.</summary>
public enum FrameChoice
{
    /// <summary>At the first letter, as GenSLM reads.</summary>
    [JsonStringEnumMemberName("start")] Start,

    /// <summary>At the first letter.</summary>
    [JsonStringEnumMemberName("0")] Zero,

    /// <summary>At the second letter.</summary>
    [JsonStringEnumMemberName("1")] One,

    /// <summary>At the third letter.</summary>
    [JsonStringEnumMemberName("2")] Two,

    /// <summary>The longest open reading frame alone; the whole sequence where there is none.</summary>
    [JsonStringEnumMemberName("orf")] LongestOpen,
}
