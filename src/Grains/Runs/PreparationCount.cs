using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Counts how often silos died while they prepared a run, in its record: what kills one will kill the next, and the cluster
/// at every start. A run that has trained with the settings it has shows that they kill nobody: silos that die in its later
/// preparations are the cluster's loss, as spot machines are, and it takes many more of them. Counted before the preparation begins, so that the count outlives it; taken back when it ends well, with the
/// first step, and while the run waits, for then it is not the run that they die of.
/// </summary>
/// <param name="runId">The run.</param>
/// <param name="record">Its record.</param>
/// <param name="write">Makes the record last.</param>
/// <param name="log">Says what could not be written.</param>
internal sealed class PreparationCount(string runId, RunRecord record, Func<Task> write, ILogger log)
{
    /// <summary>After so many deaths a run that has never trained is not prepared again by itself.</summary>
    public const int Patience = 3;

    /// <summary>And one that has, after so many in a row.</summary>
    public const int TriedPatience = 10;

    private bool _isCounted;
    private Task _written = Task.CompletedTask;

    /// <summary>Why the run is not to be prepared again; null when it may be.</summary>
    public string? Objection => record.Preparations < (record.HasTrained ? TriedPatience : Patience) ? null
        : record.HasTrained ? $"Run {runId} has trained with these settings, but silos died ten times in a row while it was being prepared to go on: the cluster loses them faster than the run can begin. Resume it when they stay."
        : $"Run {runId} was being prepared when its silos died three times; it may be too large for them, or a setting is. 'genslm describe {runId}' shows its settings; resume it to try again.";

    /// <summary>Something of the run is about to be prepared: completes when that is known for good.</summary>
    /// <exception cref="RunInputException">Silos have died of it too often.</exception>
    public Task BeginAsync()
    {
        if (_isCounted) return _written;
        if (Objection is { } objection) throw new RunInputException(objection);
        record.Preparations++;
        _isCounted = true;
        return _written = write();
    }

    /// <summary>A silo has died; if it was in a preparation, that stays counted, and the next is another one.</summary>
    public void SiloDied() => _isCounted = false;

    /// <summary>Nothing is being prepared for now.</summary>
    public Task WithdrawAsync()
    {
        if (!_isCounted) return Task.CompletedTask;
        (_isCounted, record.Preparations) = (false, record.Preparations - 1);
        return WriteAsync();
    }

    /// <summary>The run has made a step: whatever was prepared is sound, and its settings are.</summary>
    public Task EndAsync()
    {
        if (record.Preparations == 0 && record.HasTrained) return Task.CompletedTask;
        (_isCounted, record.Preparations, record.HasTrained) = (false, 0, true);
        return WriteAsync();
    }

#pragma warning disable CA1031 // The next write of the record makes up for this one; whether the run is superseded shows there too.
    private async Task WriteAsync()
    {
        try
        {
            await write();
        }
        catch (Exception exception)
        {
            log.RunNotWritten(exception, runId);
        }
    }
#pragma warning restore CA1031
}
