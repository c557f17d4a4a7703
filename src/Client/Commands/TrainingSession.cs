using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>One run on a cluster of this console's own, from submission to summary. Ctrl-C pauses it, a second one ends it at once.</summary>
internal static class TrainingSession
{
    public static async Task<int> RunAsync(RunSubmission submission, TrainSettings settings, IProgressView view, CancellationToken cancellation)
    {
        var goOn = $"genslm resume {submission.Spec.Output}";
        using var interruption = new Interruption(cancellation);
        try
        {
            var status = await TrainAsync(submission, settings.Silos, view, interruption);
            await view.EndAsync();
            if (status is not null) return await RunReport.PrintAsync(status, goOn, settings.Json);
            await Console.Error.WriteLineAsync("Stopped before the run began; the same command begins it.");
            return ExitCode.Interrupted;
        }
        catch (OperationCanceledException) when (interruption.Order.IsCancellationRequested)
        {
            await view.EndAsync();
            await Console.Error.WriteLineAsync($"Stopped at once. Go on from the last checkpoint with: {goOn}");
            return ExitCode.Interrupted;
        }
        catch
        {
            await view.EndAsync();
            throw;
        }
    }

    // Null: it was stopped before it began.
    private static async Task<RunStatus?> TrainAsync(RunSubmission submission, int silos, IProgressView view, Interruption interruption)
    {
        var runId = SubmissionCheck.RunId(submission.Spec);
        await using var cluster = await BeginAsync(submission, runId, silos, view, interruption);
        if (cluster is null) return null;
        view.Started(runId, submission.Spec.Output, [.. cluster.Silos.Select(silo => $"http://127.0.0.1:{silo.Ports.Http}/metrics")]);
        var watch = new RunWatch(cluster.Grains.GetGrain<ITrainingRunGrain>(runId), cluster.Calls, view) { Silos = EndsOf(cluster) };
        return await watch.FollowAsync(until: _ => false, interruption.Wish, interruption.Order);
    }

    // There is no step to finish yet: already the first Ctrl-C ends it. It may also end a silo that has just been started.
    private static async Task<LocalCluster?> BeginAsync(RunSubmission submission, string runId, int silos, IProgressView view, Interruption interruption)
    {
        LocalCluster? cluster = null;
        try
        {
            cluster = await LocalCluster.StartAsync(silos, runId, view.Note, interruption.Any);
            var run = cluster.Grains.GetGrain<ITrainingRunGrain>(runId);
            await cluster.Calls.TellAsync(() => run.StartAsync(submission), interruption.Any);
            return cluster;
        }
        catch (Exception exception) when (exception is OperationCanceledException or ClusterException)
        {
            // Why the last silo has ended says more than that nothing answers.
            await using var end = cluster;
            if (interruption.Any.IsCancellationRequested) return null;
            if (cluster is not null) EndsOf(cluster).Tell(view);
            throw;
        }
    }

    private static SiloEnds EndsOf(LocalCluster cluster) => new([.. cluster.Silos.Select(silo => new SiloEnd(silo.Name, silo.Ended, silo.Obituary))]);
}
