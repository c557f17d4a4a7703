using System.Collections.Immutable;
using Orleans.Concurrency;

namespace GenSlmOrleans.Abstractions;

/// <summary>A device of the cluster.</summary>
[GenerateSerializer, Immutable, Alias("genslm.DeviceName")]
public readonly record struct DeviceName([property: Id(0)] string Silo, [property: Id(1)] string Device);

/// <summary>A run as the cluster's queue knows it.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Priority">Higher ones get devices first.</param>
/// <param name="Submitted">Of equal priority, the earlier one comes first.</param>
/// <param name="MinDevices">With fewer it waits.</param>
/// <param name="MaxDevices">It has use for no more.</param>
/// <param name="Output">Its output folder.</param>
/// <param name="Active">Whether it wants devices; otherwise it is over or paused.</param>
[GenerateSerializer, Immutable, Alias("genslm.QueuedRun")]
public sealed record QueuedRun(
    [property: Id(0)] string RunId,
    [property: Id(1)] int Priority,
    [property: Id(2)] DateTimeOffset Submitted,
    [property: Id(3)] int MinDevices,
    [property: Id(4)] int MaxDevices,
    [property: Id(5)] string Output,
    [property: Id(6)] bool Active);

/// <summary>
/// The cluster's runs and who gets which device: one activation, key <see cref="Key"/>. Its list is persistent, so that runs
/// are woken after the whole cluster was restarted.
/// </summary>
[Alias("genslm.IRunQueueGrain")]
public interface IRunQueueGrain : IGrainWithStringKey
{
    /// <summary>The only key.</summary>
    const string Key = "cluster";

    /// <summary>Puts a run in the queue, or back into it; it keeps its place when it is there.</summary>
    [Alias("enter")]
    Task EnterAsync(QueuedRun run);

    /// <summary>The run wants no devices any more.</summary>
    [Alias("leave")]
    Task LeaveAsync(string runId);

    /// <summary>The devices that a run may use from its next step on, of those that are <paramref name="live"/>; none: it has to wait.</summary>
    [Alias("share"), AlwaysInterleave]
    Task<ImmutableArray<DeviceName>> ShareAsync(string runId, ImmutableArray<DeviceName> live);

    /// <summary>All runs that the cluster knows, in the order in which they get devices; those that are over last.</summary>
    [Alias("list"), AlwaysInterleave]
    Task<ImmutableArray<QueuedRun>> ListAsync();
}
