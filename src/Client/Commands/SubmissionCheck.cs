using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Commands;

/// <summary>
/// Makes a submission of settings: paths absolute, model resolved, and everything that can be found wrong found before
/// a process is started or a file written.
/// </summary>
internal static class SubmissionCheck
{
    /// <exception cref="UsageException">A setting cannot be; the message says which and what is expected.</exception>
    public static RunSubmission Resolve(TrainSettings settings)
    {
        var spec = settings.Spec;
        if (spec.Data.Length == 0) throw new UsageException("No FASTA file was given; 'genslm train samples/influenza.fasta' trains on the sample.");
        if (settings.Silos < 1) throw new UsageException($"silos is {settings.Silos}; it must be at least 1.");
        if (spec.Validate().FirstOrDefault() is { } problem) throw new UsageException(problem);

        spec = spec with { Data = Path.GetFullPath(spec.Data), Weights = spec.Weights.Length == 0 ? "" : Path.GetFullPath(spec.Weights) };
        var config = Model(spec.Model);
        spec = spec with { Model = ModelPresets.Find(spec.Model) is null ? Path.GetFullPath(spec.Model) : spec.Model, Output = Output(spec) };
        CheckArchitecture(spec, config);
        config = CheckWeights(spec, config);
        CheckData(spec);
        CheckOutput(spec, settings.Resume);
        return new RunSubmission(spec, config.ToJson(), settings.Resume);
    }

    /// <summary>The run's name in the cluster and on its metrics: that of its output folder, or the one it began with.</summary>
    public static string RunId(RunSpec spec)
    {
        if (KnownRunId(Path.Combine(spec.Output, "run.json")) is { Length: > 0 } known) return known;
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(spec.Output));
        return string.Concat(name.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_' ? letter : '-'));
    }

    private static string? KnownRunId(string runFile)
    {
        if (!File.Exists(runFile)) return null;
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(runFile))?["resolved"]?["runId"]?.GetValue<string>();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new UsageException($"{runFile} is not what a run writes there: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>The architecture of a preset's name, a config.json or a folder with one.</summary>
    /// <exception cref="UsageException">There is none of that name; the message has the nearest.</exception>
    public static HuggingFaceConfig Model(string name)
    {
        if (ModelPresets.Find(name) is { } preset)
        {
            if (preset.Validate().FirstOrDefault() is { } problem) throw new UsageException($"The preset {name} cannot be used: {problem}");
            return preset;
        }

        if (File.Exists(name) || Directory.Exists(name)) return HuggingFaceConfig.Read(name);
        var names = ModelPresets.All.Select(known => known.Name).ToArray();
        throw new UsageException($"There is no preset and no file '{name}'; did you mean {NearestName.Of(name, names)}? Presets are {string.Join(", ", names)}.");
    }

    private static void CheckArchitecture(RunSpec spec, HuggingFaceConfig config)
    {
        if (config.VocabularySize < CodonVocabulary.Size)
            throw new UsageException($"{spec.Model} has vocab_size {config.VocabularySize}; codons need at least {CodonVocabulary.Size}.");
        if (spec.SeqLength > config.MaximumPositions)
            throw new UsageException($"seqLength is {spec.SeqLength}, but {spec.Model} has {config.MaximumPositions} positions; it must be at most that.");
    }

    // The configuration says all that decides the model: the frequencies go with it, so that a resumed run has the same.
    private static HuggingFaceConfig CheckWeights(RunSpec spec, HuggingFaceConfig config)
    {
        if (spec.Weights.Length == 0) return config;
        using var weights = WeightFile.Open(spec.Weights);
        var match = StateDictNames.Match(weights.Tensors, GptNeoXStateDict.Describe(config), spec.Weights);
        return spec.RotaryFromCheckpoint ? config with { RotaryFrequencies = RotaryFrequencies.Read(weights, match, config) } : config;
    }

    private static void CheckData(RunSpec spec)
    {
        int records = 0;
        foreach (var record in FastaReader.Read(spec.Data)) records = checked(records + 1);
        int training = DataSplit.Create(records, spec.ValFraction, spec.Seed).Training.Length;
        if (training < spec.Shards)
            throw new UsageException($"{spec.Data} has {records} records, {training} of them for training, but shards is {spec.Shards}; every shard needs at least one record.");
    }

    private static void CheckOutput(RunSpec spec, bool resume)
    {
        if (File.Exists(spec.Output)) throw new UsageException($"The output {spec.Output} is a file; expected a folder or a name that is free.");
        var above = Path.GetDirectoryName(spec.Output);
        while (above is not null && !Directory.Exists(above) && !File.Exists(above)) above = Path.GetDirectoryName(above);
        if (File.Exists(above)) throw new UsageException($"The output {spec.Output} cannot be created: {above} is a file.");
        if (!resume && (File.Exists(Path.Combine(spec.Output, "run.json")) || Directory.Exists(Path.Combine(spec.Output, "checkpoints"))))
            throw new UsageException($"The output folder {spec.Output} already holds a run; go on with it by 'genslm resume {spec.Output}' or choose another --output.");
    }

    private static string Output(RunSpec spec)
    {
        if (spec.Output.Length > 0) return Path.GetFullPath(spec.Output);
        var name = Path.GetFileName(spec.Data);
        var stem = name[..(name.IndexOf('.') is var dot and > 0 ? dot : name.Length)];
        var folder = Path.GetFullPath(Path.Combine("runs", stem));
        var candidate = folder;
        for (int i = 2; Directory.Exists(candidate); i++) candidate = $"{folder}-{i}";
        return candidate;
    }
}
