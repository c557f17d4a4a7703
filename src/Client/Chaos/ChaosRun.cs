using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>How a run under faults went.</summary>
/// <param name="Run">From 1; 0: the undisturbed one.</param>
/// <param name="Spec">What it was told.</param>
/// <param name="Schedule">What was planned.</param>
/// <param name="Strikes">What struck, and how the run took it.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Objections">What is not as it must be, a sentence each; empty when it passed.</param>
/// <param name="Folder">Where its output and logs are.</param>
/// <param name="Seconds">How long it took, its cluster's start and end included.</param>
/// <param name="MicroBatches">How many were computed, as far as is known.</param>
/// <param name="Goodput">What its devices' time went into.</param>
internal sealed record ChaosOutcome(
    int Run,
    RunSpec Spec,
    ImmutableArray<Fault> Schedule,
    ImmutableArray<(Strike Strike, Recovery Recovery)> Strikes,
    RunStatus Status,
    ImmutableArray<string> Objections,
    string Folder,
    double Seconds,
    double MicroBatches,
    Goodput Goodput)
{
    /// <summary>When silos that ended were replaced.</summary>
    public Replacement Replacement { get; init; }

    /// <summary>What its output folder holds at the end.</summary>
    public long OutputSizeBytes { get; init; }

    /// <summary>What its steps took that nothing disturbed: the median, on all its silos.</summary>
    public double? StepSeconds { get; init; }

    /// <summary>What a run with the same settings has to come to.</summary>
    public Expectation Expectation => new(Status.WeightsSha256, Status.Step);
}

/// <summary>One run on a cluster of its own, from the first process to the last, with the faults of its schedule.</summary>
internal sealed class ChaosRun(ChaosSettings settings, RunSpec spec, int number, string folder, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    // As many times what it takes undisturbed, where that is longer.
    private const int PatienceFactor = 30;

    private readonly List<Strike> _strikes = [];
    private readonly List<string> _objections = [];

    private string DiskFolder => Path.Combine(folder, "disk");

    /// <summary>Runs it to its end and judges it.</summary>
    /// <param name="silos">How many silos it begins with.</param>
    /// <param name="schedule">What is to strike.</param>
    /// <param name="undisturbed">What an undisturbed run came to; null: this is it.</param>
    /// <param name="cancellation">Ends it at once.</param>
    public async Task<ChaosOutcome> RunAsync(int silos, ImmutableArray<Fault> schedule, ChaosOutcome? undisturbed, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        var submission = CampaignSpecs.Submission(spec, Path.Combine(DiskFolder, "output"));
        await using var disk = schedule.Any(fault => fault.Kind == FaultKind.Disk) ? await SmallDisk.MountAsync(DiskFolder, undisturbed?.OutputSizeBytes ?? 0) : null;
        await using var network = schedule.Any(fault => fault.Kind == FaultKind.Partition) ? await SiloNetwork.OpenAsync(ChaosCluster.Places) : null;
        var cluster = await ChaosCluster.OpenAsync(folder, silos, network, cancellation);
        using var devices = new DeviceTime(silos, time);
        await using var run = new ObservedRun(cluster, submission);
        long began = time.GetTimestamp();
        double lived = 0;
        try
        {
            var pace = undisturbed is null ? null : FaultPace.Of(undisturbed, settings.FailureDetection);
            var injector = pace is null ? null : Injector(cluster, run.Follower, disk, pace);
            Task ReplaceAsync(CancellationToken over) => cluster.ReplaceAsync(silos, before => ReplaceableAsync(cluster, run.Follower, pace, before), over);
            await LiveAsync(run, injector, schedule, [over => devices.FollowAsync(cluster, over), ReplaceAsync], Longer(Patience, PatienceFactor * (undisturbed?.Status.Seconds ?? 0)), cancellation);
            lived = time.GetElapsedTime(began).TotalSeconds;
            await devices.AskAsync(cluster);
        }
        finally
        {
            var orphans = await cluster.EndAsync();
            if (orphans.Count > 0) _objections.Add($"processes outlived it: {string.Join(", ", orphans.Select(process => process.Id))}");
        }

        await EventList.WriteAsync(Path.Combine(folder, "events.txt"), run.Follower.Events, _strikes);
        _objections.AddRange(run.Judge(undisturbed?.Expectation, _strikes));
        var strikes = Recovery.OfAll(_strikes, run.Follower.Events);
        var goodput = Goodput.Of(silos, lived, devices.Sum, devices.AbsentSeconds, undisturbed, strikes.Select(struck => struck.Recovery));
        return new ChaosOutcome(
            number, spec, schedule, strikes, run.Follower.Status, [.. _objections], folder, time.GetElapsedTime(start).TotalSeconds, devices.Sum.MicroBatches, goodput)
        {
            Replacement = settings.ReplacementOf(number),
            OutputSizeBytes = SizeOf(submission.Spec.Output),
            StepSeconds = Recovery.UndisturbedStep(_strikes, run.Follower.Events),
        };
    }

    private static TimeSpan Longer(TimeSpan one, double seconds) => one.TotalSeconds > seconds ? one : TimeSpan.FromSeconds(seconds);

    private static long SizeOf(string folder) => Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;

    private FaultInjector Injector(ChaosCluster cluster, RunFollower run, SmallDisk? disk, FaultPace pace) => new(cluster, run, new FaultEffects(cluster, run, disk, pace), pace, time);

    private async Task LiveAsync(
        ObservedRun run, FaultInjector? injector, ImmutableArray<Fault> schedule, Func<CancellationToken, Task>[] meanwhile, TimeSpan patience, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var others = Array.ConvertAll(meanwhile, other => other(over.Token));
        var striking = injector is null ? Task.CompletedTask : StrikeAsync(injector, run.Follower, schedule, over.Token);
        var living = run.LiveAsync(patience, cancellation);
        // The others end when the run does; one that ends before has failed.
        var first = await Task.WhenAny([living, .. others]);
        if (first != living) await first;
        await living;
        await over.CancelAsync();
        foreach (var other in others.Append(striking)) await UnlessCancelledAsync(other);
        foreach (var strike in _strikes) await ConcludeAsync(strike);
    }

    // Those that are left have gone on without the silos that ended, or cannot: nobody is left, or something else has to come first.
    private async Task ReplaceableAsync(ChaosCluster cluster, RunFollower run, FaultPace? pace, CancellationToken cancellation)
    {
        if (pace is null || settings.ReplacementOf(number) == Replacement.AtOnce) return;
        long since = time.GetTimestamp();
        await run.UntilAsync(
            _ => cluster.Ended.All(silo => Recovery.HasGoneOnWithout(silo.Name, silo.Started, run.Events)) || !cluster.Silos.Any() || time.GetElapsedTime(since) > pace.GoesOn,
            cancellation);
    }

    private async Task StrikeAsync(FaultInjector injector, RunFollower run, ImmutableArray<Fault> schedule, CancellationToken cancellation)
    {
        foreach (var fault in schedule)
        {
            // With one copy left of anything a further death is another fault.
            if (!await run.UntilAsync(status => IsDoubled(status) || schedule.Length == 1, cancellation)) return;
            if (await injector.StrikeAsync(fault, cancellation) is not { } strike) return;
            _strikes.Add(strike);
            await run.UntilAsync(_ => run.Events.Exists(happened => happened.Kind == RunEventKind.Step && happened.Time > strike.Time), cancellation);
        }
    }

    private static bool IsDoubled(RunStatus status) => !status.Partitions.IsEmpty && status.Partitions.All(place => place.Holders.Length > 1);

    private async Task ConcludeAsync(Strike strike)
    {
        try
        {
            if (await strike.Aftermath is { } objection) _objections.Add(objection);
        }
        catch (ClusterException exception)
        {
            _objections.Add(exception.Message);
        }
        catch (OperationCanceledException)
        {
            // The run was over before its consequences were.
        }
    }

    private static async Task UnlessCancelledAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (OperationCanceledException)
        {
            // As it was told.
        }
    }
}
