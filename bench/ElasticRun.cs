using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;

namespace GenSlmOrleans.Bench;

/// <summary>A phase and when it was begun.</summary>
internal sealed record BegunPhase(ElasticPhase Phase, DateTimeOffset Time);

/// <summary>One run through all phases of the script, each begun when the one before has had its steps.</summary>
/// <param name="stepsOfPhase">Steps with just the phase's silos after which the next phase begins.</param>
internal sealed class ElasticRun(ConsoleCluster cluster, int stepsOfPhase)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly List<BegunPhase> _phases = [];
    private long _seen;

    /// <summary>The phases that were begun.</summary>
    public IReadOnlyList<BegunPhase> Phases => _phases;

    public StepHistory History { get; } = new();

    /// <summary>Follows the run to its end; what it came to.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public async Task<RunStatus> FollowAsync(string runId, string output, CancellationToken cancellation)
    {
        await using var follower = new RunFollower(ConsoleCluster.ConnectAsync, runId, output);
        _phases.Add(new BegunPhase(ElasticScript.Phases[0], TimeProvider.System.GetUtcNow()));
        while (true)
        {
            var status = await follower.AskAsync(run => run.GetStatusAsync(_seen), cancellation);
            // A later driver's events have higher numbers than those of the one before.
            if (!status.Events.IsEmpty) _seen = status.Events[^1].Sequence;
            History.Take(status.Events);
            if (status.State == RunState.Failed) throw new InvalidOperationException($"The run failed: {status.Failure?.Message}");
            if (status.IsOver) return status;
            if (_phases.Count < ElasticScript.Phases.Count && StepsOf(_phases[^1]) >= stepsOfPhase) Begin(ElasticScript.Phases[_phases.Count], cancellation);
            await Task.Delay(Interval, cancellation);
        }
    }

    /// <summary>Steps that began after the phase did, on its silos.</summary>
    public int StepsOf(BegunPhase phase) => History.Steps.Count(step => step.Began > phase.Time && step.IsOn(phase.Phase.Silos));

    private void Begin(ElasticPhase phase, CancellationToken cancellation)
    {
        _phases.Add(new BegunPhase(phase, TimeProvider.System.GetUtcNow()));
        Console.WriteLine($"after step {History.Steps[^1].Number}: {phase.Name}");
        cluster.Begin(phase, cancellation);
    }
}
