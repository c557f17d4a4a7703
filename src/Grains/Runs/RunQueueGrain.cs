using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The cluster's runs, as they are kept.</summary>
[GenerateSerializer, Alias("genslm.RunQueueRecord")]
public sealed class RunQueueRecord : IStampedRecord
{
    [Id(0)] public List<QueuedRun> Runs { get; set; } = [];

    [Id(1)] public WriteStamp? LastWrite { get; set; }
}

/// <summary>
/// The cluster's runs and who gets which device: one activation, called by every run at its step boundaries and by the
/// console. Who has which device is not kept: after a restart it is worked out anew. Shares are given from memory, whether or
/// not the store answers; changes are written when it does.
/// </summary>
[PreferLocalPlacement]
public sealed class RunQueueGrain([PersistentState("queue")] IPersistentState<RunQueueRecord> queue, StorePatience patience, TimeProvider time) : Grain, IRunQueueGrain
{
    private const int EndedKept = 200;

    private readonly PatientState<RunQueueRecord> _queue = new(queue, time);
    private readonly List<Action<List<QueuedRun>>> _unwritten = [];
    private ImmutableDictionary<string, ImmutableArray<DeviceName>> _allotted = ImmutableDictionary.Create<string, ImmutableArray<DeviceName>>(StringComparer.Ordinal);
    private Task _writing = Task.CompletedTask;

    public Task EnterAsync(QueuedRun run)
    {
        if (SubmissionRules.Objection(run) is { } objection) throw new RunInputException(objection);
        if (_unwritten.Count == 0 && Runs.Contains(run)) return Task.CompletedTask;
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
        _allotted = DeviceAllotment.Allot(Runs.Where(run => run.Active), live, _allotted);
        return Task.FromResult(_allotted.GetValueOrDefault(runId, []));
    }

    public Task<ImmutableArray<QueuedRun>> ListAsync() => Task.FromResult<ImmutableArray<QueuedRun>>(
        [.. DeviceAllotment.InOrder(Runs.Where(run => run.Active)), .. Runs.Where(run => !run.Active).OrderByDescending(run => run.Submitted)]);

    private List<QueuedRun> Runs => _queue.Value.Runs;

    /// <summary>Changes the list at once; waits for the store as long as a call may, and goes on writing after that.</summary>
    private Task ChangeAsync(Action<List<QueuedRun>> change)
    {
        change(Runs);
        _unwritten.Add(change);
        if (_writing.IsCompleted) _writing = WriteAsync();
        return _writing.WaitAsync(patience.OfCall, time);
    }

    private async Task WriteAsync()
    {
        while (_unwritten.Count > 0)
        {
            int written = _unwritten.Count;
            try
            {
                await _queue.WriteAsync(patience.OfRun);
                _unwritten.RemoveRange(0, written);
            }
            catch (InconsistentStateException)
            {
                // Another activation has changed it: on top of that.
                foreach (var change in _unwritten) change(Runs);
            }
        }
    }
}
