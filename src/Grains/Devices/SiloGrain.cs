using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Placement;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A silo's own grain, one activation a silo, key <c>@silo</c>. Stateless: a restarted silo answers as before.</summary>
[OnNamedSilo, Reentrant]
public sealed class SiloGrain(SiloDevices devices, TokenStores stores, SiloDrain drain, SiloMemory memory, TensorListener channel, RunPlans plans) : Grain, ISiloGrain
{
    public Task<SiloOffer> DescribeAsync() => Task.FromResult(
        new SiloOffer(OnNamedSilo.SiloOf(this.GetPrimaryKeyString()), [.. devices.All.Select(device => device.Name)], drain.IsDraining)
        {
            Cores = Environment.ProcessorCount,
            Memory = memory.Pools,
            Reserved = memory.Reserved,
            Fingerprints = [.. devices.All.Select(device => device.Fingerprint)],
        });

    public Task<ChannelOffer?> DescribeChannelAsync() => Task.FromResult(channel.Offer);

    public Task DrainAsync()
    {
        drain.Begin();
        return Task.CompletedTask;
    }

    public async Task<DataSummary> OpenDataAsync(RunSpec spec, int sequenceLimit)
    {
        try
        {
            var store = await stores.OpenAsync(spec);
            return new DataSummary(
                store.SourceHash, store.RecordCount, store.TokenCount, store.UnknownTokenCount, store.GapCount, store.UracilCount, store.RecordsLongerThan(sequenceLimit))
            {
                ValidationRecords = store.Sets.Validation,
                TestRecords = store.Sets.Test,
                LongestRecord = store.MaximumLength,
            };
        }
        catch (FastaException exception)
        {
            throw new RunInputException(exception.Message);
        }
    }

    public Task<ImmutableArray<int>> GetRecordLengthsAsync(RunSpec spec, int sequenceLimit, string hash, int first) => plans.PieceAsync(spec, sequenceLimit, hash, first);
}
