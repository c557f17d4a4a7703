using System.Collections.Concurrent;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>
/// The ways to the other silos' partitions past Orleans: who listens where is asked through Orleans once, and membership says who is gone.
/// To a silo that cannot be reached so, blocks are grain calls, with one warning.
/// </summary>
public sealed class ChannelPeers(
    ChannelSettings settings, IGrainFactory grains, IClusterMembershipService membership, ILocalSiloDetails self, TotalsCodec totals, TimeProvider time, ILogger<ChannelPeers> log) : BackgroundService
{
    // At first: whoever comes later finds it there, or not.
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AskPause = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<SiloAddress, Lazy<Way>> _ways = new();
    private readonly ConcurrentDictionary<SiloAddress, bool> _warnedOf = new();

    private sealed class Way
    {
        public required Task<ChannelPeer?> Peer { get; init; }

        public required long Asked { get; init; }
    }

    /// <summary>The way to a silo; null when blocks have to go as grain calls.</summary>
    internal async ValueTask<ChannelPeer?> FindAsync(string silo)
    {
        if (!settings.IsOn || silo == self.Name || AddressOf(silo) is not { } address) return null;
        var known = _ways.GetOrAdd(address, _ => new Lazy<Way>(() => Open(address, silo)));
        var way = known.Value;
        var peer = await way.Peer;
        if (peer is null)
        {
            if (time.GetElapsedTime(way.Asked) > AskPause) _ways.TryRemove(new KeyValuePair<SiloAddress, Lazy<Way>>(address, known));
            return null;
        }

        if (peer.IsOpen) return peer;
        if (peer.Objection is { } objection) Warn(address, silo, objection);
        return null;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(stoppingToken))
            foreach (var address in _ways.Keys.Union(_warnedOf.Keys).Where(address => snapshot.GetSiloStatus(address) != SiloStatus.Active)) Close(address);
    }

    private SiloAddress? AddressOf(string silo)
    {
        foreach (var member in membership.CurrentSnapshot.Members.Values)
            if (member.Status == SiloStatus.Active && member.Name == silo) return member.SiloAddress;
        return null;
    }

    // It is asked again and again, and said once: a silo of an earlier version stays one.
    private void Warn(SiloAddress address, string silo, string objection)
    {
        if (_warnedOf.TryAdd(address, true)) log.ChannelNotUsed(silo, objection);
    }

    private Way Open(SiloAddress address, string silo) => new() { Peer = OpenAsync(address, silo), Asked = time.GetTimestamp() };

#pragma warning disable CA1031 // A silo of an earlier version has no such method; whatever else it is, grain calls find out.
    private async Task<ChannelPeer?> OpenAsync(SiloAddress address, string silo)
    {
        try
        {
            if (await grains.GetGrain<ISiloGrain>($"@{silo}").DescribeChannelAsync() is not { } offer) return null;
            var peer = new ChannelPeer(offer, self.Name, totals);
            await Task.WhenAny(peer.Connected, Task.Delay(ConnectPatience, time));
            return peer;
        }
        catch (Exception exception)
        {
            Warn(address, silo, exception.Message);
            return null;
        }
    }
#pragma warning restore CA1031

    private void Close(SiloAddress address)
    {
        _warnedOf.TryRemove(address, out _);
        if (_ways.TryRemove(address, out var way)) _ = CloseAsync(way.Value);
    }

    private static async Task CloseAsync(Way way) => (await way.Peer)?.Dispose();

    public override void Dispose()
    {
        foreach (var address in _ways.Keys) Close(address);
        base.Dispose();
    }
}
