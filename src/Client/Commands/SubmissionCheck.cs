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
    /// <summary>Checks settings and resolves them.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="elsewhere">Silos may see files that this machine does not: sequences and weights that are not here are left for them to check.</param>
    /// <exception cref="UsageException">A setting cannot be; the message says which and what is expected.</exception>
    public static RunSubmission Resolve(TrainSettings settings, bool elsewhere = false)
    {
        var spec = settings.Spec;
        if (spec.Data.Length == 0) throw new UsageException("No data file was given; 'genslm train samples/influenza.fasta' trains on the sample.");
        if (settings.Validate().FirstOrDefault() is { } problem) throw new UsageException(problem);

        string[] named = [.. FileList.Split(spec.Data), .. FileList.Split(spec.ValData), .. FileList.Split(spec.TestData)];
        bool checksData = !elsewhere || named.All(file => FilePatterns.IsPattern(file) || IsHere(file));
        bool checksWeights = !elsewhere || IsHere(spec.Weights);
        if (!checksData && spec.Output.Length == 0) throw new UsageException($"{named.First(file => !FilePatterns.IsPattern(file) && !IsHere(file))} is not on this machine, so the run needs an output folder that its silos see; name it by --output.");
        spec = spec with { Data = Files(spec.Data), ValData = Files(spec.ValData), TestData = Files(spec.TestData), Weights = spec.Weights.Length == 0 ? "" : Path.GetFullPath(spec.Weights) };
        var config = Model(spec.Model);
        spec = spec with { Model = ModelPresets.Find(spec.Model) is null ? Path.GetFullPath(spec.Model) : spec.Model, Output = spec.Output.Length > 0 ? Path.GetFullPath(spec.Output) : FreeOutput(NameOf(spec.Data), _ => false) };
        CheckArchitecture(spec, config);
        if (!checksWeights && spec.RotaryFromCheckpoint)
            throw new UsageException($"rotaryFromCheckpoint needs {spec.Weights} on this machine: the frequencies go with the configuration that is submitted.");
        if (checksWeights) config = CheckWeights(spec, config);
        if (checksData) CheckData(spec);
        CheckOutput(spec, settings.Resume);
        return new RunSubmission(spec, config.ToJson(), settings.Resume);
    }

    /// <summary>The run's name in the cluster and on its metrics: that of its output folder, or the one it began with.</summary>
    public static string RunId(RunSpec spec)
    {
        if (KnownRunId(Path.Combine(spec.Output, "run.json")) is { Length: > 0 } known) return known;
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(spec.Output));
        return string.Concat(name.Select(letter => IsOfRunId(letter) ? letter : '-'));
    }

    /// <summary>Whether a run's name may have this letter.</summary>
    public static bool IsOfRunId(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_';

    /// <summary>Where a run goes whose output was not named: a folder in runs, of a name that is free.</summary>
    /// <param name="name">What its name begins with.</param>
    /// <param name="isTaken">Whether another run is to have a folder that is not there yet.</param>
    public static string FreeOutput(string name, Func<string, bool> isTaken)
    {
        var folder = Path.GetFullPath(Path.Combine("runs", name));
        var candidate = folder;
        for (int i = 2; Directory.Exists(candidate) || isTaken(candidate); i++) candidate = $"{folder}-{i}";
        return candidate;
    }

    /// <summary>What a run is called after its sequences: the first file's name up to the first dot.</summary>
    public static string NameOf(string data)
    {
        var name = Path.GetFileName(FileList.Split(data)[0]);
        return name[..(name.IndexOf('.') is var dot and > 0 ? dot : name.Length)];
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

    // A name without a folder is one of this machine's, and a mistake if it is not there.
    private static bool IsHere(string path) => !Path.IsPathRooted(path) || File.Exists(path) || Directory.Exists(path);
}
