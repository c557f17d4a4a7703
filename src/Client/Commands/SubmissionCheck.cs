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
        if (spec.Data.Length == 0) throw new UsageException("No data file was given; 'genslm train samples/influenza.fasta' trains on the sample.");
        if (settings.Silos < 1) throw new UsageException($"silos is {settings.Silos}; it must be at least 1.");
        if (spec.Validate().FirstOrDefault() is { } problem) throw new UsageException(problem);

        spec = spec with { Data = Files(spec.Data), ValData = Files(spec.ValData), TestData = Files(spec.TestData), Weights = spec.Weights.Length == 0 ? "" : Path.GetFullPath(spec.Weights) };
        var config = Model(spec);
        spec = spec with { Model = ModelPresets.Find(spec.Model) is null ? Path.GetFullPath(spec.Model) : spec.Model, Output = Output(spec) };
        CheckArchitecture(spec, config);
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

    private static HuggingFaceConfig Model(RunSpec spec)
    {
        if (ModelPresets.Find(spec.Model) is { } preset)
        {
            if (preset.Validate().FirstOrDefault() is { } problem) throw new UsageException($"The preset {spec.Model} cannot be used: {problem}");
            return preset;
        }

        if (File.Exists(spec.Model) || Directory.Exists(spec.Model)) return HuggingFaceConfig.Read(spec.Model);
        var names = ModelPresets.All.Select(known => known.Name).ToArray();
        throw new UsageException($"There is no preset and no file '{spec.Model}'; did you mean {NearestName.Of(spec.Model, names)}? Presets are {string.Join(", ", names)}.");
    }

    private static void CheckArchitecture(RunSpec spec, HuggingFaceConfig config)
    {
        if (config.VocabularySize < CodonVocabulary.Size)
            throw new UsageException($"{spec.Model} has vocab_size {config.VocabularySize}; codons need at least {CodonVocabulary.Size}.");
        if (spec.SeqLength > config.MaximumPositions)
            throw new UsageException($"seqLength is {spec.SeqLength}, but {spec.Model} has {config.MaximumPositions} positions; it must be at most that.");
        if (spec.Weights.Length == 0) return;
        using var weights = WeightFile.Open(spec.Weights);
        StateDictNames.Match(weights.Tensors, GptNeoXStateDict.Describe(config), spec.Weights);
    }

    private static void CheckData(RunSpec spec)
    {
        var records = DataFingerprint.Of(DataChoice.Sources(spec)).Sets;
        int training = DataSplit.Create(records, spec.ValFraction, spec.Seed).Training.Length;
        if (training < spec.Shards)
            throw new UsageException($"{FileList.Text(spec.Data)} has {records.Main} records, {training} of them for training, but shards is {spec.Shards}; every shard needs at least one record.");
    }

    private static string Files(string patterns) => FileList.Join(FilePatterns.Expand(FileList.Split(patterns)));

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
        var name = Path.GetFileName(FileList.Split(spec.Data)[0]);
        var stem = name[..(name.IndexOf('.') is var dot and > 0 ? dot : name.Length)];
        var folder = Path.GetFullPath(Path.Combine("runs", stem));
        var candidate = folder;
        for (int i = 2; Directory.Exists(candidate); i++) candidate = $"{folder}-{i}";
        return candidate;
    }
}
