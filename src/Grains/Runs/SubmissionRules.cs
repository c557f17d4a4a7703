using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Whether a cluster takes a run at all: asked when it is submitted, resumed, and woken from the store, for any client can
/// submit, and what is stored may be of a version that asked less. Nothing is allocated or started for an answer.
/// </summary>
internal static class SubmissionRules
{
    private const int LongestConfiguration = 1 << 20;

    /// <summary>What is wrong with a submission, in a sentence; null when the run may begin.</summary>
    public static string? Objection(string? runId, RunSubmission? submission)
    {
        if (RunName.Objection(runId) is { } name) return name;
        if (submission?.Spec is not { } spec) return "The submission has no spec.";
        if (spec.Validate().FirstOrDefault() is { } problem) return problem;
        if (!Path.IsPathFullyQualified(spec.Output)) return $"output is '{spec.Output}'; it must be an absolute path.";
        return ObjectionToModel(spec, submission.ModelConfig);
    }

    /// <summary>What is wrong with an entry of the queue; null when it can be one.</summary>
    public static string? Objection(QueuedRun? run) =>
        run is null ? "There is no run to enter."
        : RunName.Objection(run.RunId) is { } name ? name
        : run.Output is null ? $"The run {run.RunId} has no output folder."
        : run.MinDevices < 1 || run.MaxDevices < run.MinDevices ? $"The run {run.RunId} asks for {run.MinDevices} to {run.MaxDevices} devices; at least 1 and no fewer at most than at least are expected."
        : null;

    private static string? ObjectionToModel(RunSpec spec, string? configuration)
    {
        if (configuration is null) return "The submission has no model configuration.";
        if (configuration.Length > LongestConfiguration) return $"The model configuration has {configuration.Length} letters; it must have at most {LongestConfiguration}.";
        try
        {
            var config = HuggingFaceConfig.Parse(configuration);
            if (config.VocabularySize < CodonVocabulary.Size) return $"The model configuration has vocab_size {config.VocabularySize}; codons need at least {CodonVocabulary.Size}.";
            if (spec.SeqLength > config.MaximumPositions) return $"seqLength is {spec.SeqLength}, but the model has {config.MaximumPositions} positions; it must be at most that.";
            return RunSpecBounds.MicroBatch(spec, ModelPlan.SequenceLimitOf(spec, config));
        }
        catch (WeightFileException exception)
        {
            return exception.Message;
        }
    }
}
