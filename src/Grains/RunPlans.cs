using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains;

/// <summary>
/// Plans of runs for those of their grains that compute nothing: the driver and the keeper of the output folder, which may live where
/// the data are not. What such a plan needs to know of single records comes from the token store of whichever silo answers first, and is remembered.
/// </summary>
public sealed class RunPlans(TokenStores stores, FileThreads files, IGrainFactory grains, Peers peers)
{
    // 4 MB on the wire, as a block of parameters.
    private const int PieceRecords = 1 << 20;

    // Of as many data sets as runs are likely to have at a time: who takes over, or opens the folder again, needs nobody then.
    private const int MostKnown = 4;

    private readonly Lock _lock = new();
    private readonly List<(string Key, ImmutableArray<int> Lengths)> _known = [];

    /// <summary>The plan of a run.</summary>
    /// <param name="submission">The run.</param>
    /// <param name="data">Its data, as a silo has seen them.</param>
    /// <exception cref="RunInputException">There are fewer training records than shards.</exception>
    /// <exception cref="StaleMessageException">The silos that saw the data are gone; ask again.</exception>
    public async Task<RunPlan> OfAsync(RunSubmission submission, DataSummary data)
    {
        var (spec, config) = (submission.Spec, HuggingFaceConfig.Parse(submission.ModelConfig));
        var lengths = spec.BucketByLength ? await LengthsAsync(spec, ModelPlan.SequenceLimitOf(spec, config), data) : default;
        // Permuting the records of a large data set takes its time.
        return await files.RunAsync(() => new RunPlan(spec, config, RunData.Sets(data), lengths));
    }

    /// <summary>Lengths of records as this silo knows them, as <see cref="ISiloGrain.GetRecordLengthsAsync"/> gives them.</summary>
    internal async Task<ImmutableArray<int>> PieceAsync(RunSpec spec, int sequenceLimit, string hash, int first)
    {
        var lengths = Known(spec, sequenceLimit, hash) ?? await HereAsync(spec, sequenceLimit, hash);
        return lengths.Slice(first, Math.Min(PieceRecords, lengths.Length - first));
    }

    // This silo may hold partitions, and the driver, and see no data; or it has to read them first, which another silo has done. It is asked as the others
    // are: whoever asks is a grain, whose thread no file system is to hold up.
    private async Task<ImmutableArray<int>> LengthsAsync(RunSpec spec, int sequenceLimit, DataSummary data)
    {
        if (Known(spec, sequenceLimit, data.Hash) is { } known) return known;
        var asked = peers.Names.Select(silo => TryAsync(() => FromAsync(silo, spec, sequenceLimit, data))).ToList();
        while (asked.Count > 0)
        {
            var answered = await Task.WhenAny(asked);
            if (await answered is { } lengths) return Remember(spec, sequenceLimit, data.Hash, lengths);
            asked.Remove(answered);
        }

        throw new StaleMessageException("No silo has the run's data.");
    }

    private static async Task<ImmutableArray<int>?> TryAsync(Func<Task<ImmutableArray<int>>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception exception) when (exception is RunInputException || CallFailure.IsLoss(exception))
        {
            // Another may have them.
            return null;
        }
    }

    private async Task<ImmutableArray<int>> FromAsync(string silo, RunSpec spec, int sequenceLimit, DataSummary data)
    {
        var grain = grains.GetGrain<ISiloGrain>($"@{silo}");
        var lengths = ImmutableArray.CreateBuilder<int>(data.RecordCount);
        while (lengths.Count < data.RecordCount) lengths.AddRange(await grain.GetRecordLengthsAsync(spec, sequenceLimit, data.Hash, lengths.Count));
        return lengths.MoveToImmutable();
    }

    private async Task<ImmutableArray<int>> HereAsync(RunSpec spec, int sequenceLimit, string hash)
    {
        try
        {
            var store = await stores.OpenAsync(spec);
            if (store.SourceHash != hash) throw new RunInputException($"This silo sees data of hash {store.SourceHash}; expected {hash}.");
            // Millions of them take their time.
            return Remember(spec, sequenceLimit, hash, await files.RunAsync(() => store.Lengths(sequenceLimit)));
        }
        catch (Exception exception) when (exception is FastaException or IOException or UnauthorizedAccessException)
        {
            throw new RunInputException(exception.Message);
        }
    }

    private ImmutableArray<int>? Known(RunSpec spec, int sequenceLimit, string hash)
    {
        lock (_lock) return _known.FindIndex(known => known.Key == Key(spec, sequenceLimit, hash)) is >= 0 and var index ? _known[index].Lengths : null;
    }

    private ImmutableArray<int> Remember(RunSpec spec, int sequenceLimit, string hash, ImmutableArray<int> lengths)
    {
        lock (_lock)
        {
            _known.RemoveAll(known => known.Key == Key(spec, sequenceLimit, hash));
            if (_known.Count == MostKnown) _known.RemoveAt(0);
            _known.Add((Key(spec, sequenceLimit, hash), lengths));
        }

        return lengths;
    }

    // The hash is the files': what is made of them is not in it.
    private static string Key(RunSpec spec, int sequenceLimit, string hash) => $"{hash} {RunData.Sources(spec).Preparation} {sequenceLimit}";
}
