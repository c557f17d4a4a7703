using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains;

/// <summary>
/// Plans of runs for those of their grains that compute nothing: the driver and the keeper of the output folder, which may live where
/// the data are not. What such a plan needs to know of single records comes from this silo's token store, else from another silo's.
/// </summary>
public sealed class RunPlans(TokenStores stores, FileThreads files, IGrainFactory grains, Peers peers)
{
    // 4 MB on the wire, as a block of parameters.
    private const int PieceRecords = 1 << 20;

    /// <summary>The plan of a run.</summary>
    /// <param name="submission">The run.</param>
    /// <param name="data">Its data, as a silo has seen them.</param>
    /// <exception cref="RunInputException">There are fewer training records than shards.</exception>
    /// <exception cref="StaleMessageException">The silos that saw the data are gone; ask again.</exception>
    public async Task<RunPlan> OfAsync(RunSubmission submission, DataSummary data)
    {
        var (spec, config) = (submission.Spec, HuggingFaceConfig.Parse(submission.ModelConfig));
        var lengths = spec.BucketByLength ? await LengthsAsync(spec, ModelPlan.SequenceLimitOf(spec, config), data) : default;
        return new RunPlan(spec, config, RunData.Sets(data), lengths);
    }

    /// <summary>Lengths of records as this silo sees them, as <see cref="ISiloGrain.GetRecordLengthsAsync"/> gives them.</summary>
    internal async Task<ImmutableArray<int>> PieceAsync(RunSpec spec, int sequenceLimit, string hash, int first)
    {
        var lengths = await HereAsync(spec, sequenceLimit, hash);
        return lengths.Slice(first, Math.Min(PieceRecords, lengths.Length - first));
    }

    private async Task<ImmutableArray<int>> LengthsAsync(RunSpec spec, int sequenceLimit, DataSummary data)
    {
        try
        {
            return await HereAsync(spec, sequenceLimit, data.Hash);
        }
        catch (RunInputException)
        {
            // Its partitions may be here all the same, and its driver.
        }

        foreach (var silo in peers.Names)
        {
            try
            {
                return await FromAsync(silo, spec, sequenceLimit, data);
            }
            catch (Exception exception) when (exception is RunInputException || CallFailure.IsLoss(exception))
            {
                // The next may have them.
            }
        }

        throw new StaleMessageException("No silo has the run's data.");
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
            return await files.RunAsync(() => store.Lengths(sequenceLimit));
        }
        catch (FastaException exception)
        {
            throw new RunInputException(exception.Message);
        }
    }
}
