using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>How a run under faults went.</summary>
/// <param name="Run">From 1; 0: the undisturbed one.</param>
/// <param name="Schedule">What was planned.</param>
/// <param name="Strikes">What struck, and how the run took it.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Objections">What is not as it must be, a sentence each; empty when it passed.</param>
/// <param name="Folder">Where its output and logs are.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record ChaosOutcome(
    int Run,
    ImmutableArray<Fault> Schedule,
    ImmutableArray<(Strike Strike, Recovery Recovery)> Strikes,
    RunStatus Status,
    ImmutableArray<string> Objections,
    string Folder,
    double Seconds);

/// <summary>One run on a cluster of its own, from the first process to the last, with the faults of its schedule.</summary>
internal sealed class ChaosRun(ChaosSettings settings, string folder, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PopulationInterval = TimeSpan.FromMilliseconds(200);

    private readonly List<Strike> _strikes = [];

    private string Output => Path.Combine(folder, "output");

    /// <summary>Runs it to its end and judges it.</summary>
    /// <param name="number">Of the run.</param>
    /// <param name="silos">How many silos it begins with.</param>
    /// <param name="schedule">What is to strike.</param>
    /// <param name="expectedHash">Of the weights; null: not known yet.</param>
    /// <param name="cancellation">Ends it at once.</param>
    public async Task<ChaosOutcome> RunAsync(int number, int silos, ImmutableArray<Fault> schedule, string? expectedHash, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        var submission = settings.Submission(Output);
        var objections = new List<string>();
        var status = new RunStatus();
        IReadOnlyList<RunEvent> events = [];
        var cluster = await ChaosCluster.StartAsync(folder, silos, cancellation);
        try
        {
            await using var run = new RunFollower(cluster.ConnectAsync, SubmissionCheck.RunId(submission.Spec));
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            deadline.CancelAfter(Patience);
            try
            {
                await LiveAsync(cluster, run, submission, schedule, silos, deadline.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                objections.Add($"it was not over after {Patience.TotalMinutes:F0} minutes; it stood at step {run.Status.Step} of {run.Status.TotalSteps}, {run.Status.State}");
            }

            (status, events) = (run.Status, run.Events);
        }
        finally
        {
            var orphans = await cluster.EndAsync();
            if (orphans.Count > 0) objections.Add($"processes outlived it: {string.Join(", ", orphans.Select(process => process.Id))}");
        }

        objections.AddRange(Verdict.Of(status, Output, expectedHash, _strikes));
        return new ChaosOutcome(number, schedule, Recoveries(events), status, [.. objections], folder, time.GetElapsedTime(start).TotalSeconds);
    }

    private async Task LiveAsync(
        ChaosCluster cluster, RunFollower run, RunSubmission submission, ImmutableArray<Fault> schedule, int silos, CancellationToken cancellation)
    {
        await run.AskAsync(async grain =>
        {
            await grain.StartAsync(submission);
            return true;
        }, cancellation);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var following = run.FollowAsync(cancellation);
        var others = Task.WhenAll(StrikeAsync(cluster, run, schedule, over.Token), PopulateAsync(cluster, silos, over.Token));
        var first = await Task.WhenAny(following, others);
        if (first == others) await others;
        await following;
        await over.CancelAsync();
        try
        {
            await others;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Both go on until the run is over.
        }
    }

    private async Task StrikeAsync(ChaosCluster cluster, RunFollower run, ImmutableArray<Fault> schedule, CancellationToken cancellation)
    {
        var injector = new FaultInjector(cluster, run, time);
        foreach (var fault in schedule)
        {
            if (await injector.StrikeAsync(fault, cancellation) is not { } strike) break;
            _strikes.Add(strike);
            long after = run.Events is { Count: > 0 } known ? known[^1].Sequence : 0;
            await run.UntilAsync(_ => run.Events.Any(happened => happened.Sequence > after && happened.Kind == RunEventKind.Step), cancellation);
        }

        await Task.Delay(Timeout.Infinite, cancellation);
    }

    /// <summary>A silo that has ended is replaced, as an orchestrator does.</summary>
    private static async Task PopulateAsync(ChaosCluster cluster, int silos, CancellationToken cancellation)
    {
        while (true)
        {
            while (cluster.Silos.Count() < silos) cluster.Start();
            await Task.Delay(PopulationInterval, cancellation);
        }
    }

    private ImmutableArray<(Strike, Recovery)> Recoveries(IReadOnlyList<RunEvent> events) =>
        [.. _strikes.Select((strike, i) => (strike, Recovery.Of(strike, events.Where(happened => i + 1 == _strikes.Count || happened.Time < _strikes[i + 1].Time))))];
}
