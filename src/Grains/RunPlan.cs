using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains;

/// <summary>
/// Everything about a run that follows from its spec, its architecture, the numbers of its records and, where the spec wants it, their
/// lengths: the same on every silo, and never sent. No part of it depends on the cluster.
/// </summary>
public sealed class RunPlan
{
    /// <summary>The plan of a run whose data are here.</summary>
    /// <exception cref="RunInputException">There are fewer training records than shards.</exception>
    public RunPlan(RunSpec spec, HuggingFaceConfig config, TokenStore store)
        : this(spec, config, store.Sets, spec.BucketByLength ? store.Lengths(ModelPlan.SequenceLimitOf(spec, config)) : default)
    {
    }

    /// <param name="spec">The run's settings.</param>
    /// <param name="config">Its architecture.</param>
    /// <param name="records">How many records there are.</param>
    /// <param name="lengths">Tokens of every record, cut to the sequence limit; needed with bucketByLength alone.</param>
    /// <exception cref="RunInputException">There are fewer training records than shards.</exception>
    public RunPlan(RunSpec spec, HuggingFaceConfig config, RecordSets records, ImmutableArray<int> lengths = default)
    {
        if (spec.BucketByLength == lengths.IsDefault) throw new ArgumentException("Lengths are needed with bucketByLength, and only with it.", nameof(lengths));
        Model = new ModelPlan(spec, config);
        Data = new DataOrder(records, spec.ValFraction, spec.Seed, spec.Shuffle, spec.Shards, spec.BatchSize, spec.AccumulationSteps, lengths);
        if (Split.Training.Length < spec.Shards)
            throw new RunInputException($"{FileList.Text(spec.Data)} has {records.Main} records, {Split.Training.Length} of them for training, but shards is {spec.Shards}; every shard needs at least one record.");
        TotalSteps = Windows.TotalSteps(spec.Epochs, spec.MaxSteps == 0 ? null : spec.MaxSteps);
        Schedule = new LearningRateSchedule(ScheduleOf(spec.Schedule), spec.LearningRate, spec.WarmupSteps, TotalSteps);
        EarlyStopping = new EarlyStopping(spec.EarlyStoppingPatience == 0 ? null : spec.EarlyStoppingPatience);
        Validation = ValidationInterval.Parse(spec.ValEvery);
        int batches = BatchesOf(Split.Validation.Length);
        ValidationBatchCount = spec.LimitValBatches == 0 ? batches : Math.Min(batches, spec.LimitValBatches);
        TestBatchCount = BatchesOf(Split.Test.Length);

        int BatchesOf(int records) => (records + spec.EvaluationBatchSize - 1) / spec.EvaluationBatchSize;
    }

    /// <summary>The part that does not depend on the data.</summary>
    public ModelPlan Model { get; }

    public RunSpec Spec => Model.Spec;

    public HuggingFaceConfig Config => Model.Config;

    /// <summary>Tokens a record is cut to.</summary>
    public int SequenceLimit => Model.SequenceLimit;

    public ParameterLayout Layout => Model.Layout;

    public ReductionTree Tree => Model.Tree;

    /// <summary>Which records go where, as <c>genslm verify</c> computes it again.</summary>
    public DataOrder Data { get; }

    public DataSplit Split => Data.Split;

    public SamplingOrder Order => Data.Sampling;

    public WindowPlan Windows => Data.Windows;

    public long TotalSteps { get; }

    public LearningRateSchedule Schedule { get; }

    public EarlyStopping EarlyStopping { get; }

    public ValidationInterval Validation { get; }

    /// <summary>Batches of one validation; 0 without validation data.</summary>
    public int ValidationBatchCount { get; }

    /// <summary>Batches of the test set; 0 without one.</summary>
    public int TestBatchCount { get; }

    public GradientScaling Scaling => Spec.GradientScaling switch
    {
        GradientScalingMode.MicroBatches => GradientScaling.MicroBatches,
        GradientScalingMode.AccumulationSteps => GradientScaling.AccumulationSteps,
        _ => GradientScaling.Tokens,
    };

    /// <summary>Batches of a set that a loss is measured on.</summary>
    public int BatchCount(EvaluationSet set) => set == EvaluationSet.Test ? TestBatchCount : ValidationBatchCount;

    /// <summary>Whether the run validates after <paramref name="step"/>: on its interval, and at the very end.</summary>
    public bool ValidatesAfter(long step)
    {
        if (ValidationBatchCount == 0) return false;
        if (step == TotalSteps) return true;
        if (!Validation.Epochs) return step % Validation.Count == 0;
        var position = Windows.Locate(step);
        return position.IsLastOfEpoch && (position.Epoch + 1) % Validation.Count == 0;
    }

    private static ScheduleKind ScheduleOf(LearningRateScheduleKind kind) => kind switch
    {
        LearningRateScheduleKind.Linear => ScheduleKind.Linear,
        LearningRateScheduleKind.Cosine => ScheduleKind.Cosine,
        LearningRateScheduleKind.Plateau => ScheduleKind.Plateau,
        _ => ScheduleKind.Constant,
    };
}
