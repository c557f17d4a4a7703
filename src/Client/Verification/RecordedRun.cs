using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Verification;

/// <summary>A run as its output folder tells it, with the data it names: what its ledger is verified against.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Data">Its data files, in a sentence.</param>
/// <param name="Ledger">Path of the ledger.</param>
/// <param name="Plan">What the ledger has to say, by run.json and data alone.</param>
/// <param name="Checkpoints">The ledger heads in its checkpoints.</param>
/// <param name="PlannedSteps">Optimizer steps of the whole run.</param>
internal sealed record RecordedRun(
    string RunId, string Data, string Ledger, LedgerPlan Plan, IReadOnlyList<CheckpointHead> Checkpoints, long PlannedSteps)
{
    /// <summary>Reads an output folder and the data files; writes nothing.</summary>
    /// <param name="output">The output folder.</param>
    /// <param name="moved">Says where data files are now that are not where run.json says.</param>
    /// <param name="ct">Ends the reading of the data.</param>
    /// <exception cref="UsageException">There is no run or no ledger in the folder, run.json is damaged, or the data are not the run's.</exception>
    /// <exception cref="FastaException">A data file is missing or malformed.</exception>
    /// <exception cref="WeightFileException">A checkpoint's manifest is damaged.</exception>
    public static RecordedRun Read(string output, Func<RunSpec, RunSpec> moved, CancellationToken ct)
    {
        var file = Path.Combine(output, "run.json");
        if (!File.Exists(file)) throw new UsageException($"{output} holds no run: there is no run.json in it. 'genslm verify' needs the output folder of a run.");
        var ledger = Path.Combine(output, LedgerFile.FileName);
        if (!File.Exists(ledger)) throw new UsageException($"{output} holds no {LedgerFile.FileName}: the run was made before there were ledgers, or the file is lost; there is nothing to verify.");

        var spec = RunFile.Apply(new TrainSettings(), file).Spec;
        if (spec.Validate().FirstOrDefault() is { } problem) throw new UsageException($"{file} is damaged: {problem}");
        var (runId, dataHash) = Resolved(file);
        spec = moved(spec);
        List<int>? lengths = spec.BucketByLength ? [] : null;
        var found = DataFingerprint.Of(DataChoice.Sources(spec), lengths, ct);
        if (found.Hash != dataHash)
            throw new UsageException($"{FileList.Text(spec.Data)} is not the run's data: its hash is {found.Hash}, the run began with data of hash {dataHash}. Name the originals by --data FILE, as they were given, and --val-data and --test-data if there were any.");

        var order = new DataOrder(
            found.Sets, spec.ValFraction, spec.Seed, spec.Shuffle, spec.Shards, spec.BatchSize, spec.AccumulationSteps, lengths is null ? default : Cut(lengths, spec, file));
        var plan = new LedgerPlan(Identity(spec, found, order), order.Split.Training, order.Windows.StepsPerEpoch, new StepRecords(order).Window);
        long planned = order.Windows.TotalSteps(spec.Epochs, spec.MaxSteps == 0 ? null : spec.MaxSteps);
        return new RecordedRun(runId, FileList.Text(spec.Data), ledger, plan, Heads(Path.Combine(output, "checkpoints")), planned);
    }

    private static LedgerIdentity Identity(RunSpec spec, DataFingerprint data, DataOrder order) => new()
    {
        DataHash = data.Hash,
        Records = data.Sets.Total,
        Seed = spec.Seed,
        ValFraction = spec.ValFraction,
        Shuffle = spec.Shuffle,
        Shards = spec.Shards,
        BatchSize = spec.BatchSize,
        AccumulationSteps = spec.AccumulationSteps,
        Lengths = order.Buckets?.LengthsHash,
    };

    // As the run's silos see them: cut to seqLength, or to the positions of the model that the run was resolved to.
    private static ImmutableArray<int> Cut(List<int> lengths, RunSpec spec, string file)
    {
        int limit = spec.SeqLength;
        if (limit == 0)
        {
            try
            {
                limit = HuggingFaceConfig.Parse(JsonNode.Parse(File.ReadAllBytes(file))!["resolved"]!["modelConfig"]?.ToJsonString() ?? "").MaximumPositions;
            }
            catch (WeightFileException exception)
            {
                throw new UsageException($"{file} does not say how long the run's sequences are: {exception.Message}");
            }
        }

        return [.. lengths.Select(length => Math.Min(limit, length))];
    }

    private static (string RunId, string DataHash) Resolved(string file)
    {
        try
        {
            var resolved = JsonNode.Parse(File.ReadAllBytes(file))?["resolved"];
            if (resolved?["runId"]?.GetValue<string>() is { } runId && resolved["dataHash"]?.GetValue<string>() is { } hash) return (runId, hash);
            throw new UsageException($"{file} does not say which data the run began with; expected resolved.runId and resolved.dataHash, as a run writes them.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new UsageException($"{file} is not what a run writes there: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }

    // What is being written or removed has a hidden name.
    private static CheckpointHead[] Heads(string checkpoints) => !Directory.Exists(checkpoints) ? [] : [.. Directory.EnumerateDirectories(checkpoints)
        .Where(folder => !Path.GetFileName(folder).StartsWith('.'))
        .Select(folder => (Name: Path.GetFileName(folder), Manifest: CheckpointManifest.Read(folder)))
        .Select(found => new CheckpointHead(found.Name, found.Manifest.Step, found.Manifest.LedgerHead))
        .OrderBy(checkpoint => checkpoint.Step)];
}
