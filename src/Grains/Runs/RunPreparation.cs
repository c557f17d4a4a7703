using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>A run with everything in place for its next step: data on the silos, parameters in the partitions, replicas on the devices.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Plan">What follows from its spec.</param>
/// <param name="Generation">Of its driver.</param>
/// <param name="Partitions">Where the parameters are.</param>
/// <param name="Driver">Drives its steps.</param>
/// <param name="Keeper">Keeps its output folder.</param>
/// <param name="Devices">The devices it begins with.</param>
/// <param name="Inventory">What the output folder holds.</param>
/// <param name="Progress">Where it stands.</param>
/// <param name="Last">The record of the last step, where it is known.</param>
/// <param name="GoesOn">Another driver may have begun the next step.</param>
internal sealed record PreparedRun(
    string RunId,
    RunPlan Plan,
    long Generation,
    PartitionGroup Partitions,
    StepDriver Driver,
    CheckpointKeeper Keeper,
    ImmutableArray<DeviceName> Devices,
    CheckpointInventory Inventory,
    TrainingProgress Progress,
    StepRecord? Last,
    bool GoesOn)
{
    public Fence FenceAt(long step) => new(RunId, step, Generation);
}

/// <summary>What a run does at a step boundary.</summary>
internal enum Boundary
{
    GoOn,
    Stop,

    /// <summary>All silos are leaving: what is not in a checkpoint would be lost.</summary>
    Evacuate,
}

/// <summary>
/// Puts a run in place: takes over what an earlier driver left in the partitions, or begins from the last checkpoint or
/// from scratch; and keeps it in place at every step boundary, whoever has come or gone.
/// </summary>
internal sealed class RunPreparation(string runId, RunSurroundings surroundings, RunJournal journal, Func<bool> isToStop)
{
    private static readonly TimeSpan BoundaryPatience = TimeSpan.FromMilliseconds(500);

    private readonly ClusterView _view = new(surroundings.Membership, surroundings.Grains, journal, surroundings.Time);
    private DevicePool? _pool;
    private PartitionGroup? _partitions;
    private CheckpointKeeper? _keeper;
    private DataSummary? _data;
    private RunPlan? _plan;

    private RunRecord Record => surroundings.Record;

    /// <summary>Follows the cluster's membership until cancelled.</summary>
    public async Task FollowAsync(CancellationToken cancellation)
    {
        try
        {
            await _view.FollowAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    /// <exception cref="RunInputException">Data, weights or output folder are not as they should be.</exception>
    public async Task<PreparedRun> PrepareAsync(RunSubmission submission)
    {
        bool first = Record.Generation == 1;
        var spec = submission.Spec;
        var config = HuggingFaceConfig.Parse(submission.ModelConfig);
        var context = new RunContext(runId, spec, submission.ModelConfig, RunPlan.SequenceLimitOf(spec, config));
        _pool = new DevicePool(context, surroundings.Grains, _view, journal, surroundings.Time, surroundings.Log);
        _partitions = new PartitionGroup(context, surroundings.Grains, journal, PersistAsync, surroundings.Log);
        _keeper = new CheckpointKeeper(surroundings.Grains, runId, Record.Instance, submission, surroundings.Time);
        await _view.OpenAsync();
        _data = await OpenDataAsync();
        _plan = new RunPlan(spec, config, RunData.Sets(_data));
        if (first) DataRemarks.Say(journal, _data, _plan);

        var inventory = await OpenFolderAsync();
        if (Record.Partitions is { } known && await _partitions.AdoptAsync(Fence(0), known) is { } left && ProgressAfter(left.Step, left.Record, inventory) is { } progress)
        {
            try
            {
                return await TakeOverAsync(progress, left.Record, inventory);
            }
            catch (RunInputException exception)
            {
                // The ledger lacks steps that the partitions have seen: a disk was lost with its machine.
                journal.Warn(exception.Message);
                await CountGenerationAsync();
                inventory = await OpenFolderAsync();
            }
        }

        return await BeginPatientlyAsync(inventory, first: true);
    }

    /// <summary>Goes back to the last durable checkpoint, with new partitions on the silos that are left.</summary>
    public async Task<PreparedRun> FallBackAsync()
    {
        await CountGenerationAsync();
        return await BeginPatientlyAsync(await OpenFolderAsync(), first: false);
    }

    /// <summary>
    /// Between two steps: takes in devices and silos that have come, gives back those that are to go, waits while there are
    /// too few.
    /// </summary>
    public async Task<Boundary> AtBoundaryAsync(PreparedRun run, Fence fence, StepRecord? last)
    {
        while (true)
        {
            await _pool!.UpdateAsync();
            var silos = _view.Silos;
            var holders = _pool.Holders.Select(silo => silo.Name).ToArray();
            if (holders.Length == 0 && silos.Any(silo => silo.IsDraining)) return Boundary.Evacuate;
            await _partitions!.BalanceAsync(fence, silos.Select(silo => silo.Name).ToHashSet(StringComparer.Ordinal), holders, last);
            journal.Working(run, _pool.Ready);
            if (isToStop()) return Boundary.Stop;
            if (HasDevices(_plan!.Spec.MinDevices)) break;
            await ChangeAsync();
        }

        _view.Refresh();
        return Boundary.GoOn;
    }

    /// <summary>Lets go of devices and partitions on all silos: they are leaving, and there is none to hand over to.</summary>
    public async Task EvacuateAsync()
    {
        journal.Wait("all silos are leaving; the run waits for others and goes on from its checkpoint");
        await TidyAsync(new PartitionMap([]), []);
    }

    /// <summary>Lets go of everything the run holds anywhere.</summary>
    public async Task ReleaseAsync()
    {
        await TidyAsync(new PartitionMap([]), []);
        if (_keeper is not null) await _keeper.CloseAsync(Fence(0));
    }

    /// <summary>On every silo, lets go of what is not of these partitions and devices.</summary>
    private Task TidyAsync(PartitionMap map, ImmutableArray<DeviceName> devices) => Task.WhenAll(_view.Silos.Select(async silo =>
    {
        try
        {
            await surroundings.Grains.GetGrain<ISiloGrain>($"@{silo.Name}").TidyAsync(
                Fence(0),
                [.. map.Places.Where(place => place.Holders.Contains(silo.Name)).Select(place => place.Index)],
                [.. devices.Where(device => device.Silo == silo.Name).Select(device => device.Device)]);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // What it had is gone with it.
        }
    }));

    private Fence Fence(long step) => new(runId, step, Record.Generation);

    private async Task<DataSummary> OpenDataAsync()
    {
        while (true)
        {
            try
            {
                return await _pool!.OpenDataAsync();
            }
            catch (StaleMessageException)
            {
                await ChangeAsync();
            }
        }
    }

    // Nothing is cut before it is known where the run goes on.
    private Task<CheckpointInventory> OpenFolderAsync() => _keeper!.OpenAsync(Fence(long.MaxValue), _data!);

    private async Task<PreparedRun> TakeOverAsync(TrainingProgress progress, StepRecord? last, CheckpointInventory inventory)
    {
        journal.Replanned($"taken over after step {progress.Step}; nothing is done again");
        var fence = Fence(progress.Step);
        await _keeper!.CutAsync(fence, last);
        await _pool!.UpdateAsync();
        await _pool.PreparedAsync();
        await TidyAsync(_partitions!.Map, [.. _pool.Prepared]);
        return Prepared(inventory, progress, last, goesOn: true);
    }

    private async Task CountGenerationAsync()
    {
        Record.Generation++;
        await surroundings.Write();
    }

    /// <summary>Begins from the last checkpoint or from scratch, again and again while silos die meanwhile.</summary>
    private async Task<PreparedRun> BeginPatientlyAsync(CheckpointInventory inventory, bool first)
    {
        while (true)
        {
            try
            {
                return await BeginAsync(inventory, first);
            }
            catch (PartitionsLostException exception)
            {
                journal.Warn(exception.Message);
                await ChangeAsync();
                await CountGenerationAsync();
                inventory = await OpenFolderAsync();
            }
        }
    }

    private async Task<PreparedRun> BeginAsync(CheckpointInventory inventory, bool first)
    {
        await _pool!.UpdateAsync();
        if (first) await _pool.PreparedAsync();
        await WaitForDevicesAsync(_plan!.Spec.MinDevices, evenToStop: false);
        var progress = inventory.Progress ?? new TrainingProgress();
        var fence = Fence(progress.Step);
        bool fromSeed = inventory.Progress is null && _plan.Spec.Weights.Length == 0;
        var silos = _pool.Holders.Select(silo => silo.Name).ToArray();
        if (silos.Length == 0) throw new PartitionsLostException("no silo is left that could hold the parameters");
        await _partitions!.CreateAsync(fence, PartitionPlacement.Empty(_plan.Layout), silos, fromSeed ? PartitionSource.Seed : PartitionSource.Put, null);
        try
        {
            if (!fromSeed) await _keeper!.RestoreAsync(fence, _partitions.Map);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            throw new PartitionsLostException($"a silo was lost while the parameters were restored: {exception.Message}");
        }

        await _keeper!.CutAsync(fence, null);
        return Prepared(inventory, progress, null, goesOn: false);
    }

    private PreparedRun Prepared(CheckpointInventory inventory, TrainingProgress progress, StepRecord? last, bool goesOn) => new(
        runId,
        _plan!,
        Record.Generation,
        _partitions!,
        new StepDriver(runId, _plan!, _pool!, _partitions!, () => WaitForDevicesAsync(1, evenToStop: true), journal, surroundings.Metrics, surroundings.Time),
        _keeper!,
        _pool!.Ready,
        inventory,
        progress,
        last,
        goesOn);

    // A checkpoint knows of the validation that followed its step, a partition only of the step.
    private static TrainingProgress? ProgressAfter(long step, StepRecord? record, CheckpointInventory inventory) =>
        inventory.Progress?.Step == step ? inventory.Progress
        : record?.Progress.Step == step ? record.Progress
        : step == 0 ? new TrainingProgress()
        : null;

    /// <summary>Waits until there are devices enough, or the run is to stop.</summary>
    private async Task WaitForDevicesAsync(int needed, bool evenToStop)
    {
        while (!HasDevices(needed) && (evenToStop || !isToStop()))
        {
            await ChangeAsync();
            await _pool!.UpdateAsync();
        }
    }

    private bool HasDevices(int needed)
    {
        int ready = _pool!.Ready.Length;
        if (ready >= needed) journal.GoOn();
        else if (_pool.Alive < needed) journal.Wait($"waiting for devices: {_pool.Alive} of the {needed} that it needs are alive");
        // Those that are being prepared for it come by themselves.
        else if (!_pool.Prepared.Any()) journal.Wait("waiting for its turn: other runs have the devices");
        return ready >= needed;
    }

    // Something may have changed: a silo, a device, another run that has ended.
    private async Task ChangeAsync()
    {
        _view.Refresh();
        await Task.WhenAny(_view.Changed(), _pool!.NextPreparedAsync(), Task.Delay(BoundaryPatience, surroundings.Time));
    }

    private async Task PersistAsync(PartitionMap map)
    {
        Record.Partitions = map;
        await surroundings.Write();
    }
}
