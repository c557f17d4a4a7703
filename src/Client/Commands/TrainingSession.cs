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
        var siloEnded = cluster.FirstEndedAsync();
        var stopAsked = _stopAsked.Task;
        long seen = 0;
        while (true)
        {
            var answer = run.GetStatusAsync(seen);
            await Task.WhenAny(answer, siloEnded).WaitAsync(_now.Token);
            if (siloEnded.IsCompleted) throw new ClusterException($"A silo ended unexpectedly: {(await siloEnded).Obituary()}");
            var status = await AnswerAsync(answer);
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

    // A silo that is going down breaks the call before its process has ended.
    private static async Task<RunStatus> AnswerAsync(Task<RunStatus> answer)
    {
        try
        {
            return await answer;
        }
        catch (Exception exception) when (exception is OrleansException or TimeoutException or IOException)
        {
            throw new ClusterException($"The cluster does not answer: {exception.Message.Split('\n')[0]}");
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
