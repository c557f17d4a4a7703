using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The step at hand cannot be ended before the run has to stop; nothing of it has been applied.</summary>
internal sealed class StepAbandonedException : Exception;

/// <summary>What a run does at a step boundary.</summary>
internal enum Boundary
{
    GoOn,
    Stop,

    /// <summary>All silos are leaving: what is not in a checkpoint would be lost.</summary>
    Evacuate,
}

/// <summary>
/// Those who work for a run under one driver: the silos with the data, the devices that the queue gives it, the holders of its
/// parameters, the keeper of its output folder. Opened once the data are known; from then on it takes in who comes and lets
/// go of who leaves, at step boundaries and, where parameters are about to be lost, at once.
/// </summary>
internal sealed class RunTeam
{
    private static readonly TimeSpan BoundaryPatience = TimeSpan.FromMilliseconds(500);

    private readonly RunSurroundings _surroundings;
    private readonly RunJournal _journal;
    private readonly ClusterView _view;
    private readonly HandOver _handOver;

    private RunTeam(
        RunSurroundings surroundings, RunJournal journal, ClusterView view, DevicePool pool, RunContext context, DataSummary data, RunPlan plan, Task interrupted)
    {
        (_surroundings, _journal, _view, Pool, Data, Plan, Interrupted) = (surroundings, journal, view, pool, data, plan, interrupted);
        Partitions = new PartitionGroup(context, surroundings.Grains, view, journal, PersistAsync, pool.PassOver, surroundings.Time, surroundings.Log);
        var submission = surroundings.Record.Submission! with { DeviceFingerprint = Record.DeviceFingerprint };
        Keeper = new CheckpointKeeper(surroundings.Grains, context.RunId, surroundings.Record.Instance, submission, journal, () => IsToStop, interrupted, surroundings.Metrics, surroundings.Time);
        Expected = new ExpectedRecords(surroundings.Compute, plan);
        RunId = context.RunId;
        _handOver = new HandOver(Partitions, pool, view, () => FenceAt(0), RunId, surroundings.Time, surroundings.Log);
    }

    public string RunId { get; }

    /// <summary>What follows from the run's spec and data.</summary>
    public RunPlan Plan { get; }

    public DataSummary Data { get; }

    public DevicePool Pool { get; }

    /// <summary>Where the parameters are.</summary>
    public PartitionGroup Partitions { get; }

    /// <summary>Keeps the output folder.</summary>
    public CheckpointKeeper Keeper { get; }

    /// <summary>What the shards of a step have to compute.</summary>
    public ExpectedRecords Expected { get; }

    /// <summary>Completes when the run is not to end the step at hand.</summary>
    public Task Interrupted { get; }

    private RunRecord Record => _surroundings.Record;

    /// <summary>Whether the run has been asked to stop.</summary>
    public bool IsToStop => Record.Wish != RunWish.Run;

    /// <summary>What the run needs of the silos' memory.</summary>
    public RunMemory Memory => new(Plan.Spec, Plan.Config, Data.LongestRecord);

    /// <summary>Finds the silos and opens the data on them.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="surroundings">What its driver lives in.</param>
    /// <param name="journal">What it says of itself.</param>
    /// <param name="interrupted">Completes when the run is not to end the step at hand.</param>
    /// <param name="over">Ends what follows the cluster.</param>
    /// <exception cref="RunInputException">A silo cannot read the data, or sees other data than the rest.</exception>
    public static async Task<RunTeam> OpenAsync(string runId, RunSurroundings surroundings, RunJournal journal, Task interrupted, CancellationToken over)
    {
        var submission = surroundings.Record.Submission!;
        var config = HuggingFaceConfig.Parse(submission.ModelConfig);
        var context = new RunContext(runId, submission.Spec, submission.ModelConfig, ModelPlan.SequenceLimitOf(submission.Spec, config));
        var view = new ClusterView(surroundings.Membership, surroundings.Grains, journal, surroundings.Time, submission.Spec.Threads);
        Fence Fence(long step) => new(runId, step, surroundings.Record.Generation);
        var pool = new DevicePool(context, surroundings.Record.DataHash, Fence, surroundings.Grains, view, journal, surroundings.Time, surroundings.Log);
        _ = view.FollowAsync(over);
        await view.OpenAsync();
        surroundings.Record.DeviceFingerprint = pool.ChooseKind(surroundings.Record.DeviceFingerprint);
        var (data, plan) = await OpenDataAsync(pool, view, surroundings, journal);
        var team = new RunTeam(surroundings, journal, view, pool, context, data, plan, interrupted);
        _ = team._handOver.FollowAsync(over);
        return team;
    }

    public Fence FenceAt(long step) => new(RunId, step, Record.Generation);

    /// <summary>Takes what earlier drivers decide as void from now on.</summary>
    public async Task CountGenerationAsync()
    {
        Record.Generation++;
        await _surroundings.Write();
    }

    /// <summary>Brings the devices up to date with the cluster.</summary>
    public Task UpdateAsync() => Pool.UpdateAsync();

    /// <summary>
    /// Between two steps: takes in devices and silos that have come, gives back those that are to go, waits while there are
    /// too few.
    /// </summary>
    public async Task<Boundary> AtBoundaryAsync()
    {
        while (true)
        {
            await Pool.UpdateAsync();
            if (IsLeaving) return Boundary.Evacuate;
            await _handOver.BalanceAsync();
            await _handOver.LetGoAsync();
            _journal.Working(Plan, Pool.Ready);
            if (IsToStop) return Boundary.Stop;
            if (HasDevices(Plan.Spec.MinDevices)) break;
            await ChangeAsync();
        }

        _view.Refresh();
        return Boundary.GoOn;
    }

    /// <summary>
    /// Sees to it that the run fits the silos' memory before any of it is taken. A run that has been under way waits for silos that
    /// are not there yet; a new one is refused by those that are.
    /// </summary>
    /// <exception cref="RunInputException">It does not.</exception>
    public async Task WaitForRoomAsync()
    {
        while (!IsToStop)
        {
            if (Pool.Alive < Plan.Spec.MinDevices) _journal.Wait($"waiting for devices: {Pool.Lack(Plan.Spec.MinDevices)}");
            else if (Pool.FindRoom(Memory) is not { } objection) break;
            else if (Record.Generation == 1) throw new RunInputException(objection);
            else _journal.Wait(objection);
            await ChangeAsync();
        }
    }

    /// <summary>Waits until there are devices enough, or the run is to stop.</summary>
    public async Task WaitForDevicesAsync(int needed)
    {
        while (!HasDevices(needed) && !IsToStop)
        {
            await ChangeAsync();
            await Pool.UpdateAsync();
            Pool.CheckHope();
        }
    }

    /// <summary>In the middle of a step: waits until there is a device again.</summary>
    /// <param name="mayStop">Whether the step may be given up: its sums are lost with it, and computed anew when the run goes on.</param>
    /// <exception cref="StepAbandonedException">The run has to stop.</exception>
    public async Task ReplenishAsync(bool mayStop)
    {
        while (true)
        {
            // First of all: what is wrong with those that were lost shows when they are asked again.
            await Pool.UpdateAsync();
            Pool.CheckHope();
            if (HasDevices(1)) return;
            if (mayStop && (IsToStop || IsLeaving)) throw new StepAbandonedException();
            await ChangeAsync();
        }
    }

    /// <summary>Something may have changed: a silo, a device, another run that has ended.</summary>
    public async Task ChangeAsync()
    {
        Pool.TellSlow();
        _view.Refresh();
        await Task.WhenAny(_view.Changed(), Pool.NextPreparedAsync(), Task.Delay(BoundaryPatience, _surroundings.Time));
    }

    /// <summary>Lets go of all that silos have of the run: they are leaving, and there is none to hand over to.</summary>
    public async Task EvacuateAsync()
    {
        _journal.Wait("all silos are leaving; the run waits for others and goes on from its checkpoint");
        Partitions.Forget();
        // Closed, so that a silo that waits for nothing else is free to go; the run goes on with another generation.
        await EachSiloAsync((site, _) => site.CloseAsync(FenceAt(0)));
    }

    /// <summary>On every silo, lets go of what an earlier driver left and this one does not know of.</summary>
    public Task TidyAsync()
    {
        var devices = Pool.Prepared.ToArray();
        return EachSiloAsync((site, silo) => site.KeepAsync(
            FenceAt(0),
            [.. Partitions.Map.Places.Where(place => place.Holders.Contains(silo)).Select(place => place.Index)],
            [.. devices.Where(device => device.Silo == silo).Select(device => device.Device)]));
    }

    /// <summary>On every silo, lets go of all copies of partitions and of devices that this driver does not know of: the run begins from its last checkpoint.</summary>
    public Task LetGoOfPartitionsAsync()
    {
        Partitions.Forget();
        var devices = Pool.Prepared.ToArray();
        return EachSiloAsync((site, silo) => site.KeepAsync(FenceAt(0), [], [.. devices.Where(device => device.Silo == silo).Select(device => device.Device)]));
    }

    /// <summary>
    /// Waits until a silo may have room that had none when it was asked to hold a partition, or the run is to stop.
    /// </summary>
    /// <param name="reason">What is waited for.</param>
    /// <param name="isTold">Whether the run's events have it already.</param>
    public async Task WaitForHoldersAsync(string reason, bool isTold)
    {
        _journal.Wait(reason, isTold);
        while (Pool.Holders.IsEmpty && !IsToStop) await ChangeAsync();
    }

    /// <summary>Lets go of everything the run holds anywhere.</summary>
    public async Task CloseAsync()
    {
        Partitions.Forget();
        await EachSiloAsync((site, _) => site.CloseAsync(FenceAt(0)));
        await Keeper.CloseAsync(FenceAt(0));
    }

    private static async Task<(DataSummary Data, RunPlan Plan)> OpenDataAsync(DevicePool pool, ClusterView view, RunSurroundings surroundings, RunJournal journal)
    {
        var slow = new SlowPart(surroundings.Time);
        while (true)
        {
            try
            {
                var opening = OpenAsync();
                // A file system may hang; whoever has had enough of it may say so.
                while (await Task.WhenAny(opening, Task.Delay(BoundaryPatience, surroundings.Time)) != opening)
                {
                    pool.TellSlow();
                    if (surroundings.Record.Wish != RunWish.Run) throw new StepAbandonedException();
                }

                return await opening;
            }
            catch (StaleMessageException exception)
            {
                if (slow.IsToBeTold()) journal.Note($"for {slow.Seconds:F0} s: {exception.Message}");
                if (surroundings.Record.Wish != RunWish.Run) throw new StepAbandonedException();
                view.Refresh();
                await Task.WhenAny(view.Changed(), Task.Delay(BoundaryPatience, surroundings.Time));
            }
        }

        async Task<(DataSummary Data, RunPlan Plan)> OpenAsync()
        {
            var data = await pool.OpenDataAsync();
            return (data, await surroundings.PlanAsync(surroundings.Record.Submission!, data));
        }
    }

    private Task EachSiloAsync(Func<ISiteGrain, string, Task> tell) => Task.WhenAll(_view.Names.Select(async silo =>
    {
        try
        {
            await tell(Pool.Site(silo), silo);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // What it had is gone with it.
        }
    }));

    // All that could hold what the run has are leaving.
    private bool IsLeaving => Pool.Holders.IsEmpty && _view.Silos.Any(silo => silo.IsDraining);

    private bool HasDevices(int needed)
    {
        int ready = Pool.Ready.Length;
        if (ready >= needed) _journal.GoOn();
        else if (Pool.Stuck is { } stuck) _journal.Wait($"waiting for devices: {stuck}");
        else if (Pool.Alive < needed) _journal.Wait($"waiting for devices: {Pool.Lack(needed)}");
        // Those that are being prepared for it come by themselves.
        else if (!Pool.Prepared.Any()) _journal.Wait("waiting for its turn: other runs have the devices");
        return ready >= needed;
    }

    private async Task PersistAsync(PartitionMap? map)
    {
        Record.Partitions = map;
        await _surroundings.Write();
    }
}
