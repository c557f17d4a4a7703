using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>A live silo. A silo that was restarted under its old name is another one.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">This very process.</param>
/// <param name="Offer">What it offers.</param>
internal sealed record LiveSilo(string Name, SiloAddress Address, SiloOffer Offer)
{
    public ImmutableArray<string> Devices => Offer.Devices;

    public bool IsDraining => Offer.Draining;
}

/// <summary>
/// The silos a run can count on, as its driver sees them: membership at once, offers as they come. Asking for it never
/// waits for a silo that may be dead.
/// </summary>
internal sealed class ClusterView(IClusterMembershipService membership, IGrainFactory grains, RunJournal journal, TimeProvider time, int threads)
{
    private static readonly TimeSpan OfferPatience = TimeSpan.FromSeconds(5);

    // Who is leaving says so when asked; steps may be longer than it has time.
    private static readonly TimeSpan OfferInterval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<SiloAddress, LiveSilo> _offers = [];
    private readonly Dictionary<SiloAddress, Task> _asking = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The silos that are alive and have said what they offer, by name.</summary>
    public ImmutableArray<LiveSilo> Silos => [.. _offers.Values.Where(silo => IsLive(silo.Address)).OrderBy(silo => silo.Name, StringComparer.Ordinal)];

    /// <summary>The names of all members, those included that have not said yet what they offer.</summary>
    public IReadOnlySet<string> Names => Members(membership.CurrentSnapshot).Values.ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether a silo, this very process of it, is a member.</summary>
    public bool IsLive(SiloAddress address) => membership.CurrentSnapshot.GetSiloStatus(address) == SiloStatus.Active;

    /// <summary>Completes when silos have come, gone or changed what they offer since the last call.</summary>
    public Task Changed()
    {
        if (_changed.Task.IsCompleted) _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _changed.Task;
    }

    /// <summary>Waits until all members have said what they offer.</summary>
    public async Task OpenAsync()
    {
        Refresh();
        await Task.WhenAll(_asking.Values);
    }

    /// <summary>Asks all members what they offer; the answers come when they come.</summary>
    public void Refresh()
    {
        foreach (var member in membership.CurrentSnapshot.Members.Values)
        {
            if (member.Status != SiloStatus.Active || _asking.TryGetValue(member.SiloAddress, out var asking) && !asking.IsCompleted) continue;
            _asking[member.SiloAddress] = AskAsync(member);
        }
    }

    /// <summary>Follows membership until cancelled: says what comes and goes as soon as it is known.</summary>
    public async Task FollowAsync(CancellationToken cancellation)
    {
        try
        {
            await Task.WhenAll(FollowMembersAsync(cancellation), FollowOffersAsync(cancellation));
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private async Task FollowOffersAsync(CancellationToken cancellation)
    {
        while (true)
        {
            await Task.Delay(OfferInterval, time, cancellation);
            Refresh();
        }
    }

    private async Task FollowMembersAsync(CancellationToken cancellation)
    {
        var known = Members(membership.CurrentSnapshot);
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(cancellation))
        {
            var now = Members(snapshot);
            foreach (var (address, name) in known)
                if (!now.ContainsKey(address)) journal.SiloLost(name, died: snapshot.GetSiloStatus(address) is SiloStatus.Dead or SiloStatus.None);
            foreach (var (address, name) in now)
                if (!known.ContainsKey(address)) journal.SiloChanged($"{name} has joined");
            bool changed = known.Count != now.Count || known.Keys.Any(address => !now.ContainsKey(address));
            known = now;
            if (!changed) continue;
            Refresh();
            _changed.TrySetResult();
        }
    }

    private static Dictionary<SiloAddress, string> Members(ClusterMembershipSnapshot snapshot) => snapshot.Members.Values
        .Where(member => member.Status == SiloStatus.Active)
        .ToDictionary(member => member.SiloAddress, member => member.Name);

    private async Task AskAsync(ClusterMember member)
    {
        try
        {
            var offer = await grains.GetGrain<ISiloGrain>($"@{member.Name}").DescribeAsync().WaitAsync(OfferPatience, time);
            var tooSmall = SmallestSilo.Objection(threads, offer);
            var silo = new LiveSilo(member.Name, member.SiloAddress, tooSmall is null ? offer : offer with { Devices = [], Fingerprints = [] });
            var before = _offers.GetValueOrDefault(member.SiloAddress);
            if (tooSmall is not null && before is null) journal.Warn($"{member.Name} computes nothing: {tooSmall}");
            _offers[member.SiloAddress] = silo;
            if (before is not null && before.IsDraining == silo.IsDraining && before.Devices.SequenceEqual(silo.Devices)) return;
            if (silo.IsDraining && before?.IsDraining != true) journal.SiloChanged($"{member.Name} is leaving; what it holds moves to others");
            _changed.TrySetResult();
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // It will be asked again, or declared dead.
        }
    }
}
