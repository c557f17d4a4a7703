using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The disk is full and the run is to stop: what was to be written is not, and what it was to keep is computed again.</summary>
internal sealed class DiskStaysFullException(string message) : Exception(message);

/// <summary>
/// Waits for room on the disk of a run's output folder, and says so: once when the first of what waits begins to, once when
/// none does any more. A run that is to stop does not wait.
/// </summary>
internal sealed class DiskWait(string runId, string output, RunJournal journal, Func<bool> isToStop, ClusterMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private int _waiting;

    /// <summary>Begins something that may have to wait; it ends when the answer is disposed.</summary>
    /// <param name="isWaitedFor">Whether training stands still meanwhile.</param>
    public Waiter Begin(Func<bool> isWaitedFor) => new(this, isWaitedFor);

    private async Task ForRoomAsync(DiskFullException full, bool isNew, bool isWaitedFor)
    {
        if (isNew && ++_waiting == 1)
        {
            journal.Warn($"{full.Message} The run waits for room with what it has to write, and trains on as long as it can.");
            metrics.CheckpointWaits(runId, waits: true);
        }

        if (isWaitedFor) journal.Wait($"waiting for room on the disk of {output}");
        if (isToStop()) throw new DiskStaysFullException(full.Message);
        await Task.Delay(Pause, time);
    }

    private void End(bool isWritten)
    {
        if (--_waiting > 0) return;
        metrics.CheckpointWaits(runId, waits: false);
        journal.GoOn();
        if (isWritten) journal.Note($"there is room on the disk of {output} again");
    }

    /// <summary>Something that may have to wait.</summary>
    internal sealed class Waiter(DiskWait disk, Func<bool> isWaitedFor) : IDisposable
    {
        private bool _waits;

        /// <summary>Set when it is done.</summary>
        public bool IsWritten { get; set; }

        /// <summary>Comes back some time later.</summary>
        /// <exception cref="DiskStaysFullException">The run is to stop.</exception>
        public async Task ForRoomAsync(DiskFullException full)
        {
            bool isNew = !_waits;
            _waits = true;
            await disk.ForRoomAsync(full, isNew, isWaitedFor());
        }

        public void Dispose()
        {
            if (_waits) disk.End(IsWritten);
        }
    }
}
