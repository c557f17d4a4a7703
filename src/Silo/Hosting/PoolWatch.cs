using System.Diagnostics.Metrics;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Measures how long a piece of work waits for a thread of the .NET pool, which Orleans answers probes on: a silo whose pool is
/// late is declared dead although it lives. Told at /metrics as <c>genslm_pool_delay_seconds</c>, and at the silo's end in its log.
/// </summary>
internal sealed class PoolWatch(TimeProvider time, ILogger<PoolWatch> logger) : IHostedService, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    private readonly Meter _meter = new(ClusterMetrics.MeterName);
    private readonly object _gate = new();
    private bool _isOver;
    private Histogram<double>? _delay;
    private double _longestSeconds;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _delay = _meter.CreateHistogram("genslm.pool_delay", "s", "Seconds that work waited for a thread of the silo's pool, looked at 50 times a second.", advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        });
        // A thread of its own: a timer of the pool's would be as late as what it is to measure.
        new Thread(Look) { IsBackground = true, Name = "pool watch" }.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _isOver = true;
            Monitor.PulseAll(_gate);
        }

        logger.PoolWatched(1000 * _longestSeconds);
        return Task.CompletedTask;
    }

    private void Look()
    {
        lock (_gate)
        {
            while (!_isOver)
            {
                long asked = time.GetTimestamp();
                ThreadPool.UnsafeQueueUserWorkItem(_ => Answered(time.GetElapsedTime(asked).TotalSeconds), null);
                Monitor.Wait(_gate, Interval);
            }
        }
    }

    private void Answered(double seconds)
    {
        _delay!.Record(seconds);
        if (seconds > _longestSeconds) _longestSeconds = seconds;
    }

    public void Dispose() => _meter.Dispose();
}
