using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The cluster's runs, as they are kept.</summary>
[GenerateSerializer, Alias("genslm.RunQueueRecord")]
public sealed class RunQueueRecord
{
    [Id(0)] public List<QueuedRun> Runs { get; set; } = [];
}

/// <summary>
/// The cluster's runs and who gets which device: one activation, called by every run at its step boundaries and by the
/// console. Who has which device is not kept: after a restart it is worked out anew.
/// </summary>
[PreferLocalPlacement]
public sealed class RunQueueGrain([PersistentState("queue")] IPersistentState<RunQueueRecord> queue, TimeProvider time) : Grain, IRunQueueGrain
{
    private const int EndedKept = 200;

    private ImmutableDictionary<string, ImmutableArray<DeviceName>> _allotted = ImmutableDictionary.Create<string, ImmutableArray<DeviceName>>(StringComparer.Ordinal);

    public Task EnterAsync(QueuedRun run)
    {
        var known = queue.State.Runs.Find(other => other.RunId == run.RunId);
        if (known == run) return Task.CompletedTask;
        return ChangeAsync(runs =>
        {
            runs.RemoveAll(other => other.RunId == run.RunId);
            runs.Add(run);
        });
    }

    public Task LeaveAsync(string runId)
    {
        _allotted = _allotted.Remove(runId);
        return ChangeAsync(runs =>
        {
            int index = runs.FindIndex(run => run.RunId == runId);
            if (index >= 0) runs[index] = runs[index] with { Active = false };
            while (runs.Count(run => !run.Active) > EndedKept) runs.RemoveAt(runs.FindIndex(run => !run.Active));
        });
    }

    public Task<ImmutableArray<DeviceName>> ShareAsync(string runId, ImmutableArray<DeviceName> live)
    {
        _allotted = DeviceAllotment.Allot(queue.State.Runs.Where(run => run.Active), live, _allotted);
        return Task.FromResult(_allotted.GetValueOrDefault(runId, []));
    }

    public Task<ImmutableArray<QueuedRun>> ListAsync() => Task.FromResult<ImmutableArray<QueuedRun>>(
        [.. DeviceAllotment.InOrder(queue.State.Runs.Where(run => run.Active)), .. queue.State.Runs.Where(run => !run.Active).OrderByDescending(run => run.Submitted)]);

    private async Task ChangeAsync(Action<List<QueuedRun>> change)
    {
        while (true)
        {
            change(queue.State.Runs);
            try
            {
                await PatientStorage.DoAsync(queue.WriteStateAsync, time);
                return;
            }
            catch (InconsistentStateException)
            {
                // Another activation has changed it: on top of that.
                await PatientStorage.DoAsync(queue.ReadStateAsync, time);
            }
        }
    }
}
