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
            return await RunReport.PrintAsync(status, goOn, settings.Json);
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

    private static async Task<RunStatus> TrainAsync(RunSubmission submission, int silos, IProgressView view, Interruption interruption)
    {
        var runId = SubmissionCheck.RunId(submission.Spec);
        await using var cluster = await LocalCluster.StartAsync(silos, runId, interruption.Order);
        var run = cluster.Grains.GetGrain<ITrainingRunGrain>(runId);
        await PatientCall.TellAsync(() => run.StartAsync(submission), interruption.Order);
        view.Started(runId, submission.Spec.Output, [.. cluster.Silos.Select(silo => $"http://127.0.0.1:{silo.Ports.Http}/metrics")]);
        var watch = new RunWatch(run, view) { Silos = new SiloEnds([.. cluster.Silos.Select(silo => new SiloEnd(silo.Name, silo.Ended, silo.Obituary))]) };
        return await watch.FollowAsync(until: _ => false, interruption.Wish, interruption.Order);
    }
}
