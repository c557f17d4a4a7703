using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains;

/// <summary>
/// What of a run follows from its spec and architecture alone: all that holders of its parameters need. They never open the
/// data, and may live where the data are not.
/// </summary>
public sealed class ModelPlan
{
    public ModelPlan(RunSpec spec, HuggingFaceConfig config)
    {
        Spec = spec;
        Config = config;
        SequenceLimit = SequenceLimitOf(spec, config);
        Layout = new ParameterLayout([.. GptNeoXStateDict.Describe(config).Select(tensor => new ParameterShape(tensor.Name, tensor.Shape))]);
        Tree = new ReductionTree(spec.Shards);
        Adam = new AdamOptions(WeightDecay: spec.WeightDecay, Decoupled: spec.Optimizer == OptimizerKind.AdamW);
    }

    public RunSpec Spec { get; }

    public HuggingFaceConfig Config { get; }

    /// <summary>Tokens a record is cut to.</summary>
    public int SequenceLimit { get; }

    /// <summary>Where each parameter is in the flat vector.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>The order in which the shards' gradients are added.</summary>
    public ReductionTree Tree { get; }

    /// <summary>The optimizer's settings.</summary>
    public AdamOptions Adam { get; }

    /// <summary>Tokens a record is cut to, for a spec and an architecture.</summary>
    public static int SequenceLimitOf(RunSpec spec, HuggingFaceConfig config) => spec.SeqLength == 0 ? config.MaximumPositions : spec.SeqLength;
}
