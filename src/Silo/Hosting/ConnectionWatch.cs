using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Orleans.Configuration;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Notices a killed silo at once: the operating system closes its connections, and refuses new ones because nobody listens
/// there any more. Probes alone would take until two of them have been missed. A silo that is only busy, paused or cut off
/// refuses nothing; that is for the probes to judge.
/// </summary>
internal static class ConnectionWatch
{
    public static void AddConnectionWatch(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Closings>();
        builder.Services.AddOptions<SiloConnectionOptions>().Configure<Closings>((options, closings) =>
        {
            options.ConfigureSiloInboundConnection(connections => connections.Use(next => connection => closings.WatchAsync(next, connection)));
            options.ConfigureSiloOutboundConnection(connections => connections.Use(next => connection => closings.WatchAsync(next, connection)));
        });
        builder.Services.AddHostedService<RefusalCheck>();
    }

    private sealed class Closings(FailureDeadlines deadlines, TimeProvider time)
    {
        // Of capacity one: a close while the members are being looked at makes for one more look.
        private readonly Channel<bool> _closed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public IAsyncEnumerable<bool> ReadAllAsync(CancellationToken cancellation) => _closed.Reader.ReadAllAsync(cancellation);

        public async Task WatchAsync(ConnectionDelegate next, ConnectionContext connection)
        {
            long opened = time.GetTimestamp();
            try
            {
                await next(connection);
            }
            finally
            {
                // A short one is somebody else's look at us; answered by a look, it would go on for ever.
                if (time.GetElapsedTime(opened) >= deadlines.Probe) _closed.Writer.TryWrite(true);
            }
        }
    }

    private sealed class RefusalCheck(
        Closings closings, IClusterMembershipService membership, ILocalSiloDetails self, FailureDeadlines deadlines, TimeProvider time,
        ILogger<RefusalCheck> logger) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(CheckClosingsAsync(stoppingToken), CheckNewlySeenAsync(stoppingToken));

        // The table of a cluster whose silos were all killed is full of members that nobody has declared dead; and none may
        // join as long as one of them does not answer.
        private async Task CheckNewlySeenAsync(CancellationToken stopping)
        {
            HashSet<SiloAddress> seen = [self.SiloAddress];
            await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(stopping))
                await Task.WhenAll(snapshot.Members.Values.Where(member => member.Status == SiloStatus.Active && seen.Add(member.SiloAddress)).Select(member => CheckAsync(member, stopping)));
        }

        private async Task CheckClosingsAsync(CancellationToken stopping)
        {
            await foreach (var _ in closings.ReadAllAsync(stopping))
            {
                // Whose connection it was an incoming one does not say; asking all members costs a handshake each.
                var others = membership.CurrentSnapshot.Members.Values
                    .Where(member => member.Status == SiloStatus.Active && !member.SiloAddress.Equals(self.SiloAddress));
                await Task.WhenAll(others.Select(member => CheckAsync(member, stopping)));
            }
        }

        private async Task CheckAsync(ClusterMember member, CancellationToken stopping)
        {
            if (!await RefusesAsync(member, stopping)) return;
            // Twice, for a listener may be late with taking the next connection off its queue.
            await Task.Delay(deadlines.Probe / 20, time, stopping);
            if (!await RefusesAsync(member, stopping)) return;
            logger.SiloGone(member.Name, member.SiloAddress.Endpoint);
            await membership.TryKill(member.SiloAddress);
        }

        private async Task<bool> RefusesAsync(ClusterMember member, CancellationToken stopping)
        {
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            deadline.CancelAfter(deadlines.Probe);
            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(member.SiloAddress.Endpoint, deadline.Token);
                return false;
            }
            catch (SocketException exception)
            {
                return exception.SocketErrorCode == SocketError.ConnectionRefused;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }
}
