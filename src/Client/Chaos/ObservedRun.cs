using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>A run on a cluster of ours, under observation from its submission to the verdict.</summary>
internal sealed class ObservedRun : IAsyncDisposable
{
    private readonly RunSubmission _submission;
    private readonly CheckpointWatcher _checkpoints;
    private readonly List<string> _objections = [];

    public ObservedRun(ChaosCluster cluster, RunSubmission submission)
    {
        _submission = submission;
        _checkpoints = new CheckpointWatcher(submission.Spec.Output);
        Follower = new RunFollower(cluster.ConnectAsync, SubmissionCheck.RunId(submission.Spec), submission.Spec.Output);
    }

    public RunFollower Follower { get; }

    /// <summary>Submits the run and follows it until it is over.</summary>
    /// <param name="patience">After which it is given up, with an objection.</param>
    /// <param name="cancellation">Ends it at once.</param>
    public async Task LiveAsync(TimeSpan patience, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(patience);
        using var over = new CancellationTokenSource();
        var watching = _checkpoints.WatchAsync(over.Token);
        try
        {
            await Follower.AskAsync(SubmitAsync, deadline.Token);
            await Follower.FollowAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            _objections.Add($"it was not over after {patience.TotalMinutes:F0} minutes; it stood after step {Follower.Status.Step} of {Follower.Status.TotalSteps}, {Follower.Status.State}");
        }
        finally
        {
            await over.CancelAsync();
            await watching;
        }
    }

    /// <summary>What is not as it must be, a sentence each.</summary>
    /// <param name="expected">What it would have come to undisturbed; null: not known.</param>
    /// <param name="strikes">What struck it.</param>
    public ImmutableArray<string> Judge(Expectation? expected, IReadOnlyCollection<Strike> strikes) =>
    [
        .. _objections,
        .. Follower.Objection is { } objection ? [objection] : Array.Empty<string>(),
        .. Verdict.Of(Follower.Status, Follower.Events, _submission.Spec.Output, expected, strikes),
        .. _checkpoints.Objections,
        .. _checkpoints.Final(),
    ];

    private async Task<bool> SubmitAsync(ITrainingRunGrain run)
    {
        await run.StartAsync(_submission);
        return true;
    }

    public ValueTask DisposeAsync() => Follower.DisposeAsync();
}
