using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The parameter server as its driver sees it: every partition with its holders, which are fed and asked alike. A holder
/// that dies, or misses something, is dropped as long as another has all; a new one is filled while the next step
/// accumulates, so that nothing waits for it.
/// </summary>
internal sealed class PartitionGroup(
    RunContext context, IGrainFactory grains, ClusterView view, RunJournal journal, Func<PartitionMap?, Task> persist, Action<string> passOver, TimeProvider time, ILogger log)
{
    private readonly HolderCalls _holders = new(context.RunId, grains, view, journal, time, log);

    private readonly List<(PartitionPlace Place, string Silo)> _retired = [];

    private readonly FillingCopies _filling = new();

    // Copies that a silo could not take: it is tried again, and said once.
    private readonly HashSet<(int Index, string Silo)> _toldOf = [];

    // Copies are handed over while a step accumulates, never while it is reduced or applied: their version would pass them by.
    private readonly Turn _turn = new();

    private bool _isReduced;
    private long _version;
    private StepRecord? _last;
    private PartitionMap? _pinned; // where the version is that a checkpoint is written from

    public PartitionMap Map { get; private set; } = new([]);

    /// <summary>The same without copies that are still being filled: those that get a step's sums. The others take the whole from one of these when it is reduced.</summary>
    public PartitionMap Whole => _filling.Without(Map);

    /// <summary>Of those that were whole when a step began, the ones that there still are: to one that has come since its sums so far would be lacking.</summary>
    public PartitionMap StillOf(PartitionMap whole) => ReferenceEquals(whole, Map) ? Map : new PartitionMap(
        [.. Map.Places.Select(place => place.Holders.Intersect(whole.Places[place.Index].Holders).ToImmutableArray() is { IsEmpty: false } still ? place with { Holders = still } : place)]);

    /// <summary>Whether copies have not been seen whole yet.</summary>
    public bool IsFilling => _filling.All.Any();

    /// <summary>Whether there are parameters that a copy can be made of.</summary>
    public bool IsHeld { get; private set; }

    /// <summary>The parameters are let go of: nothing is handed over any more.</summary>
    public void Forget() => IsHeld = false;

    /// <summary>Makes new partitions at a step, on <paramref name="silos"/>; what was held before is let go. Nobody counts on them before <see cref="HoldAsync"/>.</summary>
    /// <exception cref="NoRoomException">One of the silos lacks memory; some of the others may have made theirs.</exception>
    public Task CreateAsync(Fence fence, PartitionMap empty, IReadOnlyList<string> silos, PartitionSource source, StepRecord? last) => _turn.TakeAsync(async () =>
    {
        var before = Map;
        Abandon();
        Map = PartitionPlacement.Next(empty, silos);
        // Copies that are still to be filled look like whole ones: another driver must not find them.
        await persist(null);
        try
        {
            await Task.WhenAll(Map.Places.SelectMany(place => place.Holders.Select(holder => SetUpAsync(holder, new PartitionSetup(fence, place, context, source, "", last)))));
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            throw new PartitionsLostException($"a silo was lost while the partitions were made: {exception.Message}");
        }

        (_version, _last) = (fence.Step, last);
        foreach (var place in before.Places)
            foreach (var holder in place.Holders.Except(Map.Places[place.Index].Holders)) await _holders.ReleaseAsync(fence, place, holder);
        return true;
    });

    private async Task SetUpAsync(string holder, PartitionSetup setup)
    {
        try
        {
            await _holders.Grain(setup.Place, holder).SetUpAsync(setup);
        }
        catch (RunInputException exception)
        {
            passOver(holder);
            throw new NoRoomException($"{holder} has no room for a partition: {exception.Message}");
        }
    }

    /// <summary>The copies made have all their values: from now on they are what the run has.</summary>
    public async Task HoldAsync()
    {
        await persist(Map);
        IsHeld = true;
    }

    // A copy that was there under the same name is gone, with what it had kept.
    private void ForgetBefore(List<(int Index, string Silo)> newcomers)
    {
        _retired.RemoveAll(retired => newcomers.Contains((retired.Place.Index, retired.Silo)));
        if (_pinned is { } pinned)
            _pinned = new PartitionMap([.. pinned.Places.Select(place => place with { Holders = [.. place.Holders.Where(silo => !newcomers.Contains((place.Index, silo)))] })]);
    }

    private void Abandon()
    {
        Forget();
        _retired.Clear();
        _filling.Clear();
        (_pinned, _isReduced) = (null, false);
    }

    /// <summary>Takes over what an earlier driver left: all copies that are, or can be brought, at the latest step.</summary>
    /// <returns>Null when a partition is lost.</returns>
    public async Task<AdoptedPartitions?> AdoptAsync(Fence fence, PartitionMap known)
    {
        Map = known;
        var late = new LateCopies(_holders.Grain);
        var found = await _holders.EachAsync(Map.Places, async (place, holder) => await _holders.Grain(place, holder).DescribeAsync(fence));
        var statuses = found.SelectMany(place => place.Answers).Where(answer => answer.Value.Holds).Select(answer => answer.Value).ToArray();
        if (statuses.Length == 0) return null;
        long step = statuses.Max(status => status.Version);
        var applied = statuses.Where(status => status.Version == step).Select(status => status.Applied).FirstOrDefault(request => request is not null);
        applied = await late.WithTotalsAsync(applied, found[0].Place, found[0].Answers, fence);
        var pinned = statuses.Select(status => status.Pinned).MaxBy(request => request?.Fence.Step);
        bool isPinWhole = true;
        var places = ImmutableArray.CreateBuilder<PartitionPlace>();
        foreach (var (place, answers) in found)
        {
            var holders = new List<string>();
            foreach (var (holder, status) in answers)
                if (status.Holds && (status.Version == step || await late.CatchUpAsync(place, holder, status, step, applied, fence))) holders.Add(holder);
            foreach (var (holder, _) in answers)
                if (!holders.Contains(holder)) _retired.Add((place, holder));
            if (holders.Count == 0) return null;
            isPinWhole &= answers.Any(answer => holders.Contains(answer.Silo) && answer.Value.Pinned?.Fence.Step == pinned?.Fence.Step);
            places.Add(place with { Holders = [.. holders] });
        }

        Map = new PartitionMap(places.ToImmutable());
        (_version, _last, IsHeld, _isReduced) = (step, applied?.Record, true, false);
        _pinned = pinned is null ? null : new PartitionMap(
            [.. found.Select(partition => partition.Place with { Holders = [.. partition.Answers.Where(answer => answer.Value.Pinned?.Fence.Step == pinned.Fence.Step).Select(answer => answer.Silo)] })]);
        return new AdoptedPartitions(step, applied?.Record, pinned, isPinWhole);
    }

    /// <summary>
    /// Partitions whose holders are dead, leaving or too many get new ones, which are filled while the next step accumulates;
    /// those that have been replaced let go.
    /// </summary>
    /// <param name="fence">Run and generation.</param>
    /// <param name="live">The silos that are alive.</param>
    /// <param name="silos">Those of them that may hold partitions from now on.</param>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public Task BalanceAsync(Fence fence, IReadOnlySet<string> live, IReadOnlyList<string> silos) =>
        _turn.TakeAsync(() => BalanceInTurnAsync(fence with { Step = _version }, live, silos));

    private async Task<bool> BalanceInTurnAsync(Fence fence, IReadOnlySet<string> live, IReadOnlyList<string> silos)
    {
        // Between a step's reduction and its application a new copy would miss the one and be told of the other.
        if (!IsHeld || _isReduced) return false;
        foreach (var place in Map.Places) Keep(place, [.. place.Holders.Where(live.Contains)]);
        await ReleaseRetiredAsync(fence);
        if (Map.Places.FirstOrDefault(place => place.Holders.IsEmpty) is { } lost) throw new PartitionsLostException($"all holders of partition {lost.Index} are gone");
        if (silos.Count == 0) return false;
        var target = PartitionPlacement.Next(Map, silos);
        var next = new PartitionPlace[Map.Places.Length];
        var newcomers = new List<(PartitionPlace Place, string Silo, string From)>();
        for (int i = 0; i < next.Length; i++)
        {
            var now = Map.Places[i];
            var wanted = target.Places[i].Holders;
            var missing = wanted.Where(silo => !now.Holders.Contains(silo)).ToArray();
            // Those that are to go stay until those that come are filled: for the length of one step.
            bool isAwaited = wanted.Any(silo => _filling.Contains(i, silo));
            next[i] = isAwaited ? now with { Holders = [.. now.Holders, .. missing] } : missing.Length > 0
                ? now with { Holders = [.. now.Holders, .. missing] }
                : now with { Holders = wanted };
            // One that is to go has better things to do in its last seconds than to feed its successor.
            var whole = now.Holders.Where(silo => !_filling.Contains(now.Index, silo)).DefaultIfEmpty(now.Holders[0]).ToArray();
            var source = Array.Find(whole, wanted.Contains) ?? whole[0];
            newcomers.AddRange(missing.Select(silo => (now, silo, source)));
            if (missing.Length == 0 && !isAwaited) _retired.AddRange(now.Holders.Where(silo => !wanted.Contains(silo)).Select(silo => (now, silo)));
        }

        bool moves = newcomers.Count > 0 || _retired.Count > 0;
        var filling = newcomers.ConvertAll(newcomer => _filling.Add(newcomer.Place.Index, newcomer.Silo));
        ForgetBefore(newcomers.ConvertAll(newcomer => (newcomer.Place.Index, newcomer.Silo)));
        Map = new PartitionMap([.. next]);
        if (!moves) return false;
        await persist(Map);
        var seeded = await Task.WhenAll(newcomers.Select(newcomer => SeedAsync(fence, newcomer.Place, newcomer.Silo, newcomer.From)));
        for (int i = 0; i < seeded.Length; i++)
        {
            if (seeded[i]) filling[i].IsSetUp = true;
            else Drop(newcomers[i].Place.Index, newcomers[i].Silo);
        }

        await ReleaseRetiredAsync(fence);
        journal.Partitions(Whole);
        return true;
    }

    /// <summary>Waits until all copies are whole that are being filled; those that cannot be filled are given up.</summary>
    public async Task FilledAsync(Fence fence)
    {
        var asked = _filling.All.Where(copy => copy.IsSetUp).ToArray();
        var filled = await FillingCopies.FilledAsync(_holders, fence, Map, asked);
        await _turn.TakeAsync(() =>
        {
            Count(asked, filled);
            return Task.FromResult(true);
        });
    }

    private void Count(FillingCopies.FillingCopy[] copies, bool[] filled)
    {
        foreach (var (copy, isFilled) in copies.Zip(filled).Where(one => _filling.Contains(one.First)))
        {
            if (isFilled) _filling.Remove(copy.Index, copy.Silo);
            // One that could not be filled must not take the place of one that has everything.
            else if (Map.Places[copy.Index].Holders.Length > 1) Drop(copy.Index, copy.Silo);
        }

        journal.Partitions(Whole);
    }

    /// <summary>Makes sure that each partition has a holder that says it holds it: somebody did not reach any.</summary>
    /// <exception cref="PartitionsLostException">One has none.</exception>
    public async Task ConfirmAsync(Fence fence)
    {
        foreach (var (place, answers) in await _holders.EachAsync(Map.Places, (place, holder) => _holders.Grain(place, holder).DescribeAsync(fence)))
            if (!answers.Exists(answer => answer.Value.Holds)) throw Lost(place);
    }

    /// <summary>Ends the accumulation of a step in all partitions, or says what is missing.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    /// <exception cref="RunFailedException">Two copies of a partition have different sums.</exception>
    public Task<Reduction> ReduceAsync(Fence fence) => _turn.TakeAsync(async () =>
    {
        var found = await _holders.EachAsync(Whole.Places, (place, holder) => _holders.Grain(place, holder).ReduceAsync(fence));
        // Those it was filled from may be gone, and it may be whole by now.
        foreach (var (place, answers) in found.Where(partition => partition.Answers.Count == 0))
        {
            // One that follows this very step is not, and nothing is filled until it is applied.
            var asked = Map.Places[place.Index].Holders.Where(silo => _filling.Find(place.Index, silo)?.LastFollowed != fence.Step);
            answers.AddRange(await _holders.ReduceFilledAsync(fence, place with { Holders = [.. asked] }));
            foreach (var (silo, _) in answers) _filling.Remove(place.Index, silo);
        }

        if (found.Find(partition => partition.Answers.Count == 0) is ({ } lost, _)) throw Lost(Map.Places[lost.Index]);
        // In partition order, however long each takes.
        var whole = await Task.WhenAll(found.Select(partition => TakeMissedAsync(fence, Map.Places[partition.Place.Index], partition.Answers)));
        if (whole.Any(copies => copies.Count == 0))
        {
            _isReduced = false;
            var missing = found.SelectMany(partition => partition.Answers.MinBy(answer => ShardSet.Count(answer.Value.Missing)).Value.Missing).ToArray();
            return new Reduction([], ShardSet.Union(context.Spec.Shards, missing), []);
        }

        // Not before: from then on nothing is filled until the step is applied.
        await _filling.FollowAsync(_holders, fence, Map, whole);
        for (int i = 0; i < found.Count; i++)
        {
            var place = Map.Places[found[i].Place.Index];
            await new CopyCheck(_holders.Grain, context.Spec.Shards).CompareAsync(fence, place, whole[i], found[0].Answers);
            Keep(place, [.. whole[i].Select(answer => answer.Silo), .. Filling(place)]);
        }

        _isReduced = true;
        journal.Partitions(Whole);
        return new Reduction([.. whole.SelectMany(copies => copies[0].Report.SquaredNorms)], [], whole[0][0].Report.Totals);
    });

    /// <summary>A partition's copies that have the whole sum, once all have what one of them has: none where all lack something.</summary>
    private async Task<List<(string Silo, ReductionReport Report)>> TakeMissedAsync(Fence fence, PartitionPlace place, List<(string Silo, ReductionReport Report)> answers)
    {
        var whole = answers.Where(answer => answer.Report.Missing.IsEmpty).ToList();
        if (whole.Count == 0)
        {
            Keep(place, [.. answers.Select(answer => answer.Silo), .. Filling(place)]);
            return whole;
        }

        // Copies that were cut off while the step accumulated: the sum is there, once is enough.
        foreach (var (holder, _) in answers.Where(answer => !answer.Report.Missing.IsEmpty))
            if (await _holders.TakeReducedAsync(fence, place, holder, whole[0].Silo) is { Missing.IsEmpty: true } taken) whole.Add((holder, taken));
        return whole;
    }

    private IEnumerable<string> Filling(PartitionPlace place) => place.Holders.Where(silo => _filling.Contains(place.Index, silo));

    /// <summary>Has every holder apply a step.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public Task ApplyAsync(ApplyRequest request) => _turn.TakeAsync(async () =>
    {
        // What the shards put in is kept once, by the first partition: for all others it would only be carried about.
        var slim = request with { Record = request.Record with { Shards = [] } };
        KeepThoseThatAnswered(await _holders.TellAsync(Map.Places, (place, grain) => grain.ApplyAsync(place.Index == 0 ? request : slim)));
        (_version, _last, _isReduced) = (request.Fence.Step, request.Record, false);
        return true;
    });

    private static PartitionsLostException Lost(PartitionPlace place) =>
        new($"all holders of partition {place.Index} are gone ({string.Join(", ", place.Holders)})");

    /// <summary>Has every holder keep what it has after a step for the checkpoint of that step, while training goes on; the silos that have no room to.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public Task<ImmutableArray<string>> PinAsync(CheckpointRequest request) => _turn.TakeAsync(async () =>
    {
        // One that is being filled has not the whole of any version.
        var kept = await _holders.TellAsync(Whole.Places, (_, grain) => grain.PinAsync(request));
        foreach (var (place, answers) in kept.Where(partition => partition.Answers.Count == 0)) answers.AddRange(await PinFilledAsync(request, Map.Places[place.Index]));
        _pinned = new PartitionMap([.. kept.Select(partition => partition.Place with { Holders = [.. partition.Answers.Select(answer => answer.Silo)] })]);
        KeepThoseThatAnswered(kept);
        var statuses = await _holders.EachAsync(Map.Places, (place, holder) => _holders.Grain(place, holder).DescribeAsync(request.Fence));
        return statuses.SelectMany(place => place.Answers).Where(answer => answer.Value.LacksRoom).Select(answer => answer.Silo).Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
    });

    // Those it was filled from are gone, and it may be whole by now.
    private async Task<List<(string Silo, bool Value)>> PinFilledAsync(CheckpointRequest request, PartitionPlace place)
    {
        var kept = (await _holders.TellAsync([place], async (_, grain) =>
        {
            await grain.FilledAsync(request.Fence);
            await grain.PinAsync(request);
        }))[0].Answers;
        foreach (var (silo, _) in kept) _filling.Remove(place.Index, silo);
        return kept;
    }

    /// <summary>Has every holder give back what it kept for a checkpoint.</summary>
    public Task UnpinAsync(Fence fence)
    {
        _pinned = null;
        return _holders.TellAsync(Map.Places, (_, grain) => grain.UnpinAsync(fence));
    }

    private async Task ReleaseRetiredAsync(Fence fence)
    {
        var released = _retired.Where(retired => !IsLastPinned(retired.Place.Index)).ToArray();
        _retired.RemoveAll(released.Contains);
        await Task.WhenAll(released.Select(retired => _holders.ReleaseAsync(fence, retired.Place, retired.Silo)));
    }

    /// <summary>Whether a silo has something that no other could take its place for: a copy, or the version that a checkpoint is being written from.</summary>
    public bool Needs(string silo) =>
        (IsHeld && Map.Places.Any(place => place.Holders.Contains(silo))) || _retired.Exists(retired => retired.Silo == silo && IsLastPinned(retired.Place.Index));

    // Those that hold the partition now came after it was pinned: until the checkpoint is written those before them stay.
    private bool IsLastPinned(int index) => _pinned is { } pinned && !Map.Places[index].Holders.Any(pinned.Places[index].Holders.Contains);

    private async Task<bool> SeedAsync(Fence fence, PartitionPlace place, string silo, string from)
    {
        try
        {
            await SetUpAsync(silo, new PartitionSetup(fence, place, context, PartitionSource.Holder, from, _last));
            return true;
        }
#pragma warning disable CA1031 // Whatever is wrong with a silo that is to hold a copy, those that hold one go on.
        catch (Exception exception) when (exception is not SupersededException)
        {
            log.HolderLost(exception, context.RunId, place.Index, silo);
            if (!CallFailure.IsLoss(exception) && _toldOf.Add((place.Index, silo))) journal.Warn($"{silo} cannot hold partition {place.Index}: {exception.Message.Split('\n')[0]}");
            return false;
        }
#pragma warning restore CA1031
    }

    private void KeepThoseThatAnswered(List<(PartitionPlace Place, List<(string Silo, bool Value)> Answers)> found)
    {
        foreach (var (place, answers) in found)
        {
            if (answers.Count == 0) throw Lost(place);
            var asked = place.Holders;
            Keep(place, [.. answers.Select(answer => answer.Silo), .. Map.Places[place.Index].Holders.Where(silo => !asked.Contains(silo))]);
        }
    }

    private void Keep(PartitionPlace place, ImmutableArray<string> holders)
    {
        var now = Map.Places[place.Index];
        var dropped = now.Holders.Where(holder => !holders.Contains(holder)).ToArray();
        if (dropped.Length == 0) return;
        _retired.AddRange(dropped.Select(holder => (now, holder)));
        Map = new PartitionMap(Map.Places.SetItem(place.Index, now with { Holders = holders }));
        journal.Partitions(Whole);
    }

    private void Drop(int index, string silo)
    {
        var place = Map.Places[index];
        _filling.Remove(index, silo);
        _retired.Add((place, silo));
        Map = new PartitionMap(Map.Places.SetItem(index, place with { Holders = place.Holders.Remove(silo) }));
    }
}
