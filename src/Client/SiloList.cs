using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Client;

/// <summary>What a silo is doing, as the cluster sees it.</summary>
internal enum SiloState
{
    Joining,
    Active,
    Draining,

    /// <summary>It does not answer, and has not been declared dead yet.</summary>
    Silent,
    Dead,
}

/// <summary>A silo, as 'genslm silos' lists it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Address">Where other silos reach it.</param>
/// <param name="Devices">What it offers; empty while it does not answer.</param>
internal sealed record SiloView(string Name, SiloState State, string Address, ImmutableArray<string> Devices);

/// <summary>
/// The silos of a cluster. Those that left in order are not listed; those that were lost are, as dead, until one of the
/// same name joins or none is left that has known them.
/// </summary>
internal static class SiloList
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);

    public static async Task<ImmutableArray<SiloView>> ReadAsync(IGrainFactory grains)
    {
        var members = await grains.GetGrain<IManagementGrain>(0).GetDetailedHosts(onlyActive: false);
        var began = members.Where(member => member.Status != SiloStatus.Dead).Select(member => member.StartTime).DefaultIfEmpty().Min();
        var newest = members.GroupBy(member => member.SiloName, StringComparer.Ordinal)
            .Select(sameName => sameName.MaxBy(member => (member.Status != SiloStatus.Dead, member.StartTime))!)
            .Where(member => member.Status != SiloStatus.Dead || (WasLost(member) && member.IAmAliveTime > began))
            .OrderBy(member => member.SiloName.Length).ThenBy(member => member.SiloName, StringComparer.Ordinal);
        return [.. await Task.WhenAll(newest.Select(member => ViewAsync(grains, member)))];
    }

    // Who leaves in order declares itself dead; who is lost has been voted out by others.
    private static bool WasLost(MembershipEntry member) => member.SuspectTimes?.Any(vote => !vote.Item1.Equals(member.SiloAddress)) ?? false;

    private static async Task<SiloView> ViewAsync(IGrainFactory grains, MembershipEntry member)
    {
        var address = member.SiloAddress.Endpoint.ToString();
        switch (member.Status)
        {
            case SiloStatus.Dead:
                return new SiloView(member.SiloName, SiloState.Dead, address, []);
            case SiloStatus.Created or SiloStatus.Joining:
                return new SiloView(member.SiloName, SiloState.Joining, address, []);
            case SiloStatus.ShuttingDown or SiloStatus.Stopping:
                return new SiloView(member.SiloName, SiloState.Draining, address, []);
        }

        try
        {
            var offer = await grains.GetGrain<ISiloGrain>($"@{member.SiloName}").DescribeAsync().WaitAsync(AnswerTimeout);
            return new SiloView(member.SiloName, offer.Draining ? SiloState.Draining : SiloState.Active, address, offer.Devices);
        }
        catch (Exception exception) when (exception is OrleansException or NotAMemberException or TimeoutException)
        {
            return new SiloView(member.SiloName, SiloState.Silent, address, []);
        }
    }
}
