using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The silo with the fewest cores: what a run's threads may be at most, for its bits depend on them and any device may get its shards.</summary>
internal static class SmallestSilo
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Why the cluster's silos cannot compute with the spec's threads; null when they can. One that does not answer is not asked again.</summary>
    public static async Task<string?> ObjectionAsync(RunSpec spec, IClusterMembershipService membership, IGrainFactory grains, TimeProvider time)
    {
        var members = membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active);
        var offers = await Task.WhenAll(members.Select(member => AskAsync(grains, member.Name, time)));
        return offers.OfType<SiloOffer>().Select(offer => Objection(spec.Threads, offer)).FirstOrDefault(objection => objection is not null);
    }

    /// <summary>Why a silo cannot compute with so many threads; null when it can, or is of a version that does not say how many cores it has.</summary>
    public static string? Objection(int threads, SiloOffer offer) =>
        offer.Cores == 0 || threads <= offer.Cores ? null : $"threads is {threads}, but {offer.SiloName} has {offer.Cores} {(offer.Cores == 1 ? "core" : "cores")}; it must be at most that.";

    private static async Task<SiloOffer?> AskAsync(IGrainFactory grains, string silo, TimeProvider time)
    {
        try
        {
            return await grains.GetGrain<ISiloGrain>($"@{silo}").DescribeAsync().WaitAsync(Patience, time);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            return null;
        }
    }
}
