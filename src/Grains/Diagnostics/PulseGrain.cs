using GenSlmOrleans.Abstractions;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>See <see cref="IPulseGrain"/>: a stateless worker is where its caller is, for a client its gateway.</summary>
[StatelessWorker(1), Reentrant]
public sealed class PulseGrain : Grain, IPulseGrain
{
    /// <inheritdoc/>
    public Task BeatAsync() => Task.CompletedTask;
}
