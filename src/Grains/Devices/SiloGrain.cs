using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Grains.Placement;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A silo's own grain, one activation a silo, key <c>@silo</c>. Stateless: a restarted silo answers as before.</summary>
[OnNamedSilo]
public sealed class SiloGrain(SiloDevices devices, TokenStores stores, PartitionStore held, ReplicaStore replicas, SiloDrain drain) : Grain, ISiloGrain
{
    public Task<SiloOffer> DescribeAsync() => Task.FromResult(
        new SiloOffer(OnNamedSilo.SiloOf(this.GetPrimaryKeyString()), [.. devices.All.Select(device => device.Name)], drain.IsDraining));

    public Task DrainAsync()
    {
        drain.Begin();
        return Task.CompletedTask;
    }

    public async Task TidyAsync(Fence fence, ImmutableArray<int> partitions, ImmutableArray<string> devices)
    {
        held.CheckGeneration(fence);
        held.ReleaseExcept(fence.RunId, partitions);
        await replicas.ReleaseExceptAsync(fence.RunId, devices);
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
            };
        }
        catch (FastaException exception)
        {
            throw new RunInputException(exception.Message);
        }
    }
}
