using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Abstractions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace GenSlmOrleans.Client.Tests;

/// <summary>
/// A cluster with a real gateway, on TCP, and runs that compute nothing: a test says what state they are in. Commands speak
/// to it as to any other.
/// </summary>
public sealed class ClusterOfFakes : IAsyncLifetime
{
    private IHost? _host;

    public string Gateway { get; } = $"127.0.0.1:{FreePort()}";

    public async ValueTask InitializeAsync()
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(FreePort(), IPEndPoint.Parse(Gateway).Port, serviceId: ClusterConnection.DefaultCluster, clusterId: ClusterConnection.DefaultCluster);
            silo.Configure<EndpointOptions>(options => options.AdvertisedIPAddress = IPAddress.Loopback);
        });
        _host = builder.Build();
        await _host.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is null) return;
        await _host.StopAsync();
        _host.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>What a run of the fakes is said to be, and what it has been told.</summary>
public sealed class FakeRun
{
    private static readonly ConcurrentDictionary<string, FakeRun> Runs = new(StringComparer.Ordinal);

    public static ImmutableArray<FakeRun> All => [.. Runs.Values.OrderBy(run => run.Queued.Submitted)];

    public static FakeRun? Find(string id) => Runs.GetValueOrDefault(id);

    public static void Clear()
    {
        foreach (var run in Runs.Values) run.Speak();
        Runs.Clear();
    }

    public required RunSubmission Submission { get; set; }

    public required QueuedRun Queued { get; init; }

    public required RunStatus Status { get; set; }

    public List<string> Told { get; } = [];

    /// <summary>What the next calls for its status fail with.</summary>
    public Queue<Exception> Failures { get; } = [];

    /// <summary>What it answers while it is silent, which is when that is over; null: it answers.</summary>
    public TaskCompletionSource<RunStatus>? Silence { get; private set; }

    /// <summary>It takes questions and does not answer them.</summary>
    public void FallSilent() => Silence = new TaskCompletionSource<RunStatus>(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Speak()
    {
        var silence = Silence;
        Silence = null;
        silence?.TrySetResult(Status);
    }

    /// <summary>What it becomes after each answer.</summary>
    public Func<RunStatus, RunStatus> After { get; set; } = status => status;

    public static FakeRun Add(string id, RunState state, params string[] notes) => Add(id, new RunSubmission(new RunSpec { Data = "x.fasta", Output = $"out/{id}", Epochs = 7 }, "{}", Resume: false), state, notes);

    public static FakeRun Add(string id, RunSubmission submission, RunState state, params string[] notes)
    {
        var now = TimeProvider.System.GetUtcNow();
        var run = new FakeRun
        {
            Submission = submission,
            Queued = new QueuedRun(id, submission.Spec.Priority, now, 1, 1, submission.Spec.Output, Active: true),
            Status = new RunStatus
            {
                RunId = id,
                State = state,
                Step = 3,
                TotalSteps = 10,
                Epoch = 1,
                Epochs = 7,
                TrainLoss = 4.25,
                Events = [.. notes.Select((note, i) => new RunEvent(i + 1, RunEventKind.Note, 3, note, null, now.AddMinutes(-5)))],
            },
        };
        Runs[id] = run;
        return run;
    }

    public void Becomes(RunState state, params RunEvent[] events) => Status = Status with { State = state, Events = [.. Status.Events, .. events] };
}

internal sealed class FakeRunGrain : Grain, ITrainingRunGrain
{
    private string Id => this.GetPrimaryKeyString();

    public Task StartAsync(RunSubmission submission)
    {
        if (FakeRun.Find(Id) is { Status.IsOver: false }) return Task.CompletedTask;
        FakeRun.Add(Id, submission, RunState.Completed, "prepared");
        return Task.CompletedTask;
    }

    public Task PauseAsync() => TellAsync("pause", RunState.Paused);

    public Task ResumeAsync() => TellAsync("resume", RunState.Completed);

    public Task ResumeOnOtherDevicesAsync() => TellAsync("resume on other devices", RunState.Completed);

    public Task CancelAsync() => TellAsync("cancel", RunState.Cancelled);

    public Task<ExportReport> ExportAsync() => Task.FromResult(FakeRun.Find(Id)!.Status.BestCheckpoint.Length == 0
        ? throw new RunInputException($"The run {Id} has no checkpoint yet.")
        : new ExportReport($"out/{Id}/best_model_state_dict.pth", "abc", "def", null));

    public Task<RunSubmission?> GetSubmissionAsync() => Task.FromResult(FakeRun.Find(Id)?.Submission);

    public Task<RunStatus> GetStatusAsync(long afterSequence)
    {
        if (FakeRun.Find(Id) is not { } run) return Task.FromResult(new RunStatus { RunId = Id });
        if (run.Silence is { } silence) return silence.Task;
        if (run.Failures.TryDequeue(out var failure)) throw failure;
        var status = run.Status with { Events = [.. run.Status.Events.Where(happened => happened.Sequence > afterSequence)] };
        run.Status = run.After(run.Status);
        return Task.FromResult(status);
    }

    private Task TellAsync(string what, RunState then)
    {
        var run = FakeRun.Find(Id)!;
        run.Told.Add(what);
        run.Becomes(then);
        return Task.CompletedTask;
    }
}

internal sealed class FakeQueueGrain : Grain, IRunQueueGrain
{
    public Task EnterAsync(QueuedRun run) => Task.CompletedTask;

    public Task LeaveAsync(string runId) => Task.CompletedTask;

    public Task<ImmutableArray<DeviceName>> ShareAsync(string runId, ImmutableArray<DeviceName> live) => Task.FromResult(live);

    public Task<ImmutableArray<QueuedRun>> ListAsync() => Task.FromResult<ImmutableArray<QueuedRun>>([.. FakeRun.All.Select(run => run.Queued with { Active = !run.Status.IsOver })]);
}
