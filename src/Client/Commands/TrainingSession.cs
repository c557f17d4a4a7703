using System.Diagnostics;
using System.Runtime.InteropServices;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Commands;

/// <summary>One run on a cluster of this console's own, from submission to summary.</summary>
internal sealed class TrainingSession : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _now = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly TaskCompletionSource _stopAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TrainingSession()
    {
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM])
            _signals.Add(PosixSignalRegistration.Create(signal, Interrupt));
    }

    public static async Task<int> RunAsync(RunSubmission submission, TrainSettings settings, IProgressView view, CancellationToken cancellation)
    {
        using var session = new TrainingSession();
        using var _ = cancellation.Register(session._now.Cancel);
        try
        {
            return await session.TrainAsync(submission, settings, view);
        }
        catch (OperationCanceledException) when (session._now.IsCancellationRequested)
        {
            await view.EndAsync();
            await Console.Error.WriteLineAsync($"Stopped at once. Go on from the last checkpoint with: genslm resume {submission.Spec.Output}");
            return ExitCode.Interrupted;
        }
        catch
        {
            await view.EndAsync();
            throw;
        }
    }

    private async Task<int> TrainAsync(RunSubmission submission, TrainSettings settings, IProgressView view)
    {
        var runId = SubmissionCheck.RunId(submission.Spec);
        await using var cluster = await LocalCluster.StartAsync(settings.Silos, runId, _now.Token);
        var run = cluster.Grains.GetGrain<ITrainingRunGrain>(runId);
        await run.StartAsync(submission);
        view.Started(runId, submission.Spec.Output, [.. cluster.Silos.Select(silo => $"http://127.0.0.1:{silo.Ports.Http}/metrics")]);

        var status = await WatchAsync(run, cluster, view);
        await view.EndAsync();
        return await ReportAsync(status, submission, settings);
    }

    private async Task<RunStatus> WatchAsync(ITrainingRunGrain run, LocalCluster cluster, IProgressView view)
    {
        var siloEnded = cluster.NextEndedAsync();
        var stopAsked = _stopAsked.Task;
        long seen = 0;
        while (true)
        {
            var answer = AnswerAsync(run, seen);
            await Task.WhenAny(answer, siloEnded).WaitAsync(_now.Token);
            if (siloEnded.IsCompleted) siloEnded = Mourn(cluster, await siloEnded, view);
            var status = await answer.WaitAsync(_now.Token);
            if (!status.Events.IsEmpty) seen = status.Events[^1].Sequence;
            view.Show(status);
            if (status.IsOver) return status;
            await Task.WhenAny(siloEnded, stopAsked, Task.Delay(PollInterval, _now.Token));
            if (!stopAsked.IsCompleted) continue;
            view.Note("stopping at the next step boundary; press Ctrl-C again to stop at once");
            await run.PauseAsync();
            stopAsked = Task.Delay(Timeout.Infinite, _now.Token);
        }
    }

    /// <summary>The run goes on as long as one silo lives.</summary>
    private static Task<LocalSilo> Mourn(LocalCluster cluster, LocalSilo silo, IProgressView view)
    {
        if (cluster.HasEnded) throw new ClusterException($"A silo ended unexpectedly: {silo.Obituary()}");
        view.Note($"{silo.Name} has ended ({silo.Obituary().Split('\n')[0]}); the run goes on");
        return cluster.NextEndedAsync();
    }

    // A silo that dies breaks the calls that are on their way through it; the run is up again seconds later.
    private static async Task<RunStatus> AnswerAsync(ITrainingRunGrain run, long seen)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await run.GetStatusAsync(seen).WaitAsync(AnswerPatience);
            }
            catch (Exception exception) when (exception is OrleansException or TimeoutException or IOException)
            {
                if (Stopwatch.GetElapsedTime(start) > Patience) throw new ClusterException($"The cluster does not answer: {exception.Message.Split('\n')[0]}");
                await Task.Delay(PollInterval);
            }
        }
    }

    private static async Task<int> ReportAsync(RunStatus status, RunSubmission submission, TrainSettings settings)
    {
        if (settings.Json) await Console.Out.WriteLineAsync(Summary.Json(status));
        switch (status.State)
        {
            case RunState.Completed:
                await Console.Error.WriteLineAsync(Summary.Text(status));
                return ExitCode.Done;
            case RunState.Paused:
                await Console.Error.WriteLineAsync($"Stopped after step {status.Step} of {status.TotalSteps}. Go on with: genslm resume {submission.Spec.Output}");
                return ExitCode.Interrupted;
            default:
                await Console.Error.WriteLineAsync(status.Failure?.Message ?? "The run failed.");
                return status.Failure is { BadInput: true } ? ExitCode.BadInput : ExitCode.RunFailed;
        }
    }

    private void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        if (!_stopAsked.TrySetResult()) _now.Cancel();
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _now.Dispose();
    }
}
