using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The checkpoint grain as its driver sees it: when it is lost with its silo, it is opened again, elsewhere, and asked again;
/// when the disk is full, it is asked until there is room. Everything it is asked may be asked twice. A checkpoint may be on its
/// way while steps are recorded. A file system that does not answer is waited for, for as long as the run is wanted.
/// </summary>
internal sealed class CheckpointKeeper(
    IGrainFactory grains, string runId, string instance, RunSubmission submission, RunJournal journal, Func<bool> isToStop, Task interrupted, ClusterMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    // What a file system is given to end what it is at when the run has been cancelled.
    private static readonly TimeSpan CancelPatience = TimeSpan.FromSeconds(5);

    // Weights are written and read for long; everything else takes a moment.
    private static readonly TimeSpan MomentPatience = TimeSpan.FromSeconds(20);

    private readonly ICheckpointGrain _grain = grains.GetGrain<ICheckpointGrain>(runId);
    private readonly DiskWait _disk = new(runId, submission.Spec.Output, journal, isToStop, metrics, time);
    private DataSummary? _data;
    private Fence _opened;
    private StepRecord? _last;
    private int _openings;
    private Task _reopening = Task.CompletedTask;
    private bool _isClosed;

    /// <summary>Head of the ledger's chain after the last step that was recorded.</summary>
    public string LedgerHead { get; private set; } = "";

    /// <summary>Takes the output folder for a generation.</summary>
    public async Task<CheckpointInventory> OpenAsync(Fence fence, DataSummary data)
    {
        (_data, _opened, _last) = (data, fence, null);
        _openings++;
        return await PatientlyAsync(grain => grain.OpenAsync(fence, instance, submission, data), takesLong: false);
    }

    /// <summary>Makes the newest whole checkpoint the last one, and says which were damaged.</summary>
    public async Task<CheckpointInventory> VerifyAsync(Fence fence)
    {
        var inventory = await PatientlyAsync(grain => grain.VerifyAsync(fence));
        foreach (var sentence in inventory.Damaged) journal.Warn(sentence);
        return inventory;
    }

    /// <summary>Cuts metrics and ledger back to the step that the run goes on from.</summary>
    public async Task CutAsync(Fence fence, StepRecord? last)
    {
        LedgerHead = await PatientlyAsync(grain => grain.CutAsync(fence, last), takesLong: false);
        (_opened, _last) = (fence, last);
    }

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => PatientlyAsync(async grain =>
    {
        await grain.RestoreAsync(fence, partitions);
        return true;
    });

    public async Task RecordAsync(Fence fence, StepRecord record)
    {
        LedgerHead = await PatientlyAsync(grain => grain.RecordStepAsync(fence, record), takesLong: false);
        (_opened, _last) = (fence, record);
    }

    public Task RecordAsync(Fence fence, MetricLine validation) => PatientlyAsync(async grain =>
    {
        await grain.RecordValidationAsync(fence, validation);
        return true;
    }, takesLong: false);

    /// <summary>Writes a checkpoint, however long it takes.</summary>
    /// <param name="request">What to write.</param>
    /// <param name="isWaitedFor">Whether training stands still until it is written.</param>
    public async Task<CheckpointInventory> SaveAsync(CheckpointRequest request, Func<bool> isWaitedFor)
    {
        var inventory = await PatientlyAsync(grain => grain.SaveAsync(request), isWaitedFor: isWaitedFor);
        journal.Saved(inventory);
        return inventory;
    }

    public Task<ExportReport> ExportAsync(Fence fence) => PatientlyAsync(grain => grain.ExportAsync(fence));

    /// <summary>Lets go of the output folder, where it is still held. What is still being asked is not asked again.</summary>
    public async Task CloseAsync(Fence fence)
    {
        _isClosed = true;
        try
        {
            var closing = _grain.CloseAsync(fence);
            await (interrupted.IsCompleted ? closing.WaitAsync(CancelPatience, time) : closing);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Its silo's end has let go of it.
        }
    }

    private async Task<T> PatientlyAsync<T>(Func<ICheckpointGrain, Task<T>> ask, bool takesLong = true, Func<bool>? isWaitedFor = null)
    {
        long? firstLoss = null;
        bool lost = false;
        int openings = _openings;
        using var waiting = _disk.Begin(isWaitedFor ?? (() => true));
        while (true)
        {
            if (_isClosed) throw new StaleMessageException($"Run {runId} has let go of its output folder.");
            long began = time.GetTimestamp();
            try
            {
                if (lost && _openings == openings) await WantedAsync(_reopening = _reopening.IsCompleted ? ReopenAsync() : _reopening, takesLong: false);
                (lost, openings) = (false, _openings);
                var asked = ask(_grain);
                await WantedAsync(asked, takesLong);
                var answer = await asked;
                waiting.IsWritten = true;
                return answer;
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception) && !_isClosed)
            {
                lost = true;
                // A long time after the last, it is another loss.
                if (firstLoss is null || time.GetElapsedTime(began) > Patience) firstLoss = time.GetTimestamp();
                if (time.GetElapsedTime(firstLoss.Value) > Patience) throw;
                await Task.Delay(Pause, time);
            }
            catch (DiskFullException exception)
            {
                await waiting.ForRoomAsync(exception);
            }
        }
    }

    private async Task WantedAsync(Task asked, bool takesLong)
    {
        long began = time.GetTimestamp();
        bool isTold = false;
        while (!asked.IsCompleted)
        {
            await Task.WhenAny(asked, interrupted, Task.Delay(MomentPatience, time));
            if (interrupted.IsCompleted) await Task.WhenAny(asked, Task.Delay(CancelPatience, time));
            if (asked.IsCompleted) break;
            if (interrupted.IsCompleted) throw new StepAbandonedException();
            if (takesLong) continue;
            isTold = true;
            journal.Wait($"waiting for the output folder {submission.Spec.Output}, which has not answered for {time.GetElapsedTime(began).TotalSeconds:F0} s");
        }

        if (isTold) journal.GoOn();
        await asked;
    }

    // Several may find out at the same time; one opens it for all.
    private async Task ReopenAsync()
    {
        if (_data is not { } data) return;
        var (opened, last) = (_opened, _last);
        await _grain.OpenAsync(opened, instance, submission, data);
        if (opened.Step != long.MaxValue) LedgerHead = await _grain.CutAsync(opened, last);
        _openings++;
    }
}
