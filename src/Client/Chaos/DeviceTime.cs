using System.Collections.Concurrent;
using System.Globalization;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What the devices of a cluster spent their time on, as /metrics of each silo told last: a silo that is killed takes the rest with it.</summary>
internal sealed class DeviceTime(int silos, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly ConcurrentDictionary<int, Spent> _spent = new();

    /// <summary>Seconds at work (fetching, computing, pushing), of them computing, and micro-batches computed.</summary>
    internal readonly record struct Spent(double Busy, double Computing, double MicroBatches)
    {
        /// <summary>What was spent after <paramref name="before"/>.</summary>
        public Spent Since(Spent before) => new(Busy - before.Busy, Computing - before.Computing, MicroBatches - before.MicroBatches);
    }

    /// <summary>All silos together, dead ones included.</summary>
    public Spent Sum => new(_spent.Values.Sum(spent => spent.Busy), _spent.Values.Sum(spent => spent.Computing), _spent.Values.Sum(spent => spent.MicroBatches));

    /// <summary>Seconds of silos that should have been there and did not answer.</summary>
    public double AbsentSeconds { get; private set; }

    /// <summary>Asks all silos again and again until cancelled.</summary>
    public async Task FollowAsync(ChaosCluster cluster, CancellationToken cancellation)
    {
        long before = time.GetTimestamp();
        while (!cancellation.IsCancellationRequested)
        {
            int answering = await AskAsync(cluster);
            long now = time.GetTimestamp();
            AbsentSeconds += Math.Max(0, silos - answering) * time.GetElapsedTime(before, now).TotalSeconds;
            before = now;
            await Task.WhenAny(Task.Delay(Interval, cancellation));
        }
    }

    /// <summary>Asks all silos once; how many answered.</summary>
    public async Task<int> AskAsync(ChaosCluster cluster) => (await Task.WhenAll(cluster.Silos.ToArray().Select(AskAsync))).Count(answered => answered);

    private async Task<bool> AskAsync(LocalSilo silo)
    {
        try
        {
            _spent[silo.Process.Id] = Read(await _http.GetStringAsync(new Uri($"http://{silo.Host}:{silo.Ports.Http}/metrics")));
            return true;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            // It is coming up, stopped or dead: what it said last stays.
            return false;
        }
    }

    /// <summary>Reads what a silo exports, in Prometheus' text format.</summary>
    public static Spent Read(string metrics)
    {
        double busy = 0, computing = 0, microBatches = 0;
        foreach (var line in metrics.Split('\n'))
        {
            if (line.StartsWith("genslm_micro_batches_total{", StringComparison.Ordinal)) microBatches += Value(line);
            if (!line.StartsWith("genslm_device_seconds_total{", StringComparison.Ordinal)) continue;
            busy += Value(line);
            if (line.Contains("phase=\"compute\"", StringComparison.Ordinal)) computing += Value(line);
        }

        return new Spent(busy, computing, microBatches);
    }

    // NAME{LABELS} VALUE TIMESTAMP
    private static double Value(string line) => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);

    public void Dispose() => _http.Dispose();
}
