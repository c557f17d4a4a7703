using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>All copies of a partition are gone: the run has to go back to its last checkpoint.</summary>
internal sealed class PartitionsLostException(string message) : Exception(message);

/// <summary>The partitions' sums of one step.</summary>
/// <param name="SquaredNorms">Block by block; empty while shards are missing.</param>
/// <param name="Missing">Shards whose contribution is missing in a partition.</param>
/// <param name="Totals">What each shard put in, in shard order.</param>
internal sealed record Reduction(ImmutableArray<double> SquaredNorms, ImmutableArray<ShardRange> Missing, ImmutableArray<ShardTotals> Totals);

/// <summary>
/// The parameter server as its driver sees it: every partition with its holders, which are fed and asked alike. A holder
/// that dies, or misses something, is dropped as long as another has all; a new one is filled while the next step
/// accumulates, so that nothing waits for it.
/// </summary>
internal sealed class PartitionGroup(RunContext context, IGrainFactory grains, RunJournal journal, Func<PartitionMap, Task> persist, ILogger log)
{
    private readonly List<(PartitionPlace Place, string Silo)> _retired = [];

    public PartitionMap Map { get; private set; } = new([]);

    /// <summary>Makes new partitions at a step, on <paramref name="silos"/>; what was held before is let go.</summary>
    public async Task CreateAsync(Fence fence, PartitionMap empty, IReadOnlyList<string> silos, PartitionSource source, StepRecord? last)
    {
        var before = Map;
        _retired.Clear();
        Map = PartitionPlacement.Next(empty, silos);
        await persist(Map);
        try
        {
            await Task.WhenAll(Map.Places.SelectMany(place => place.Holders.Select(holder =>
                Grain(place, holder).SetUpAsync(new PartitionSetup(fence, place, context, source, "", last)))));
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            throw new PartitionsLostException($"a silo was lost while the partitions were made: {exception.Message}");
        }

        foreach (var place in before.Places)
            foreach (var holder in place.Holders.Except(Map.Places[place.Index].Holders)) await ReleaseAsync(fence, place, holder);
    }

    /// <summary>Takes over what an earlier driver left: all copies that are, or can be brought, at the latest step.</summary>
    /// <returns>The step, and its record when a step led there; null when a partition is lost.</returns>
    public async Task<(long Step, StepRecord? Record)?> AdoptAsync(Fence fence, PartitionMap known)
    {
        Map = known;
        var found = await EachHolderAsync(async (place, holder) => await Grain(place, holder).DescribeAsync(fence));
        var statuses = found.SelectMany(place => place.Answers).Where(answer => answer.Value.Holds).Select(answer => answer.Value).ToArray();
        if (statuses.Length == 0) return null;
        long step = statuses.Max(status => status.Version);
        var applied = statuses.Where(status => status.Version == step).Select(status => status.Applied).FirstOrDefault(request => request is not null);
        var places = ImmutableArray.CreateBuilder<PartitionPlace>();
        foreach (var (place, answers) in found)
        {
            var holders = new List<string>();
            foreach (var (holder, status) in answers)
                if (status.Holds && (status.Version == step || await CatchUpAsync(place, holder, status, step, applied, fence))) holders.Add(holder);
            foreach (var (holder, _) in answers)
                if (!holders.Contains(holder)) _retired.Add((place, holder));
            if (holders.Count == 0) return null;
            places.Add(place with { Holders = [.. holders] });
        }

        Map = new PartitionMap(places.ToImmutable());
        return (step, applied?.Record);
    }

    /// <summary>
    /// At a step boundary: partitions whose holders are dead, leaving or too many get new ones, which are filled while the
    /// next step accumulates; those that were replaced in the step before let go.
    /// </summary>
    /// <param name="fence">The step that the parameters are after.</param>
    /// <param name="live">The silos that are alive.</param>
    /// <param name="silos">Those of them that may hold partitions from now on.</param>
    /// <param name="last">The last step's record.</param>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public async Task BalanceAsync(Fence fence, IReadOnlySet<string> live, IReadOnlyList<string> silos, StepRecord? last)
    {
        foreach (var place in Map.Places) Keep(place, [.. place.Holders.Where(live.Contains)]);
        await ReleaseRetiredAsync(fence);
        if (Map.Places.FirstOrDefault(place => place.Holders.IsEmpty) is { } lost) throw new PartitionsLostException($"all holders of partition {lost.Index} are gone");
        if (silos.Count == 0) return;
        var target = PartitionPlacement.Next(Map, silos);
        var next = new PartitionPlace[Map.Places.Length];
        var newcomers = new List<(PartitionPlace Place, string Silo)>();
        for (int i = 0; i < next.Length; i++)
        {
            var now = Map.Places[i];
            var wanted = target.Places[i].Holders;
            var missing = wanted.Where(silo => !now.Holders.Contains(silo)).ToArray();
            // Those that are to go stay until those that come are filled: for the length of one step.
            next[i] = missing.Length > 0
                ? now with { Holders = [.. now.Holders, .. missing] }
                : now with { Holders = wanted };
            newcomers.AddRange(missing.Select(silo => (now, silo)));
            if (missing.Length == 0) _retired.AddRange(now.Holders.Where(silo => !wanted.Contains(silo)).Select(silo => (now, silo)));
        }

        bool moves = newcomers.Count > 0 || _retired.Count > 0;
        Map = new PartitionMap([.. next]);
        if (!moves) return;
        await persist(Map);
        var failed = await Task.WhenAll(newcomers.Select(newcomer => SeedAsync(fence, newcomer.Place, newcomer.Silo, last)));
        for (int i = 0; i < failed.Length; i++)
            if (!failed[i]) Drop(newcomers[i].Place.Index, newcomers[i].Silo);
        await ReleaseRetiredAsync(fence);
        journal.Partitions(Map);
    }

    /// <summary>Ends the accumulation of a step in all partitions, or says what is missing.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public async Task<Reduction> ReduceAsync(Fence fence)
    {
        var found = await EachHolderAsync((place, holder) => Grain(place, holder).ReduceAsync(fence));
        var complete = new List<ReductionReport>();
        var missing = new List<ShardRange>();
        foreach (var (place, answers) in found)
        {
            if (answers.Count == 0) throw new PartitionsLostException($"all holders of partition {place.Index} are gone ({string.Join(", ", place.Holders)})");
            var whole = answers.Where(answer => answer.Value.Missing.IsEmpty).ToArray();
            if (whole.Length > 0)
            {
                Keep(place, [.. whole.Select(answer => answer.Silo)]);
                complete.Add(whole[0].Value);
            }
            else
            {
                Keep(place, [.. answers.Select(answer => answer.Silo)]);
                missing.AddRange(answers.MinBy(answer => ShardSet.Count(answer.Value.Missing)).Value.Missing);
            }
        }

        return missing.Count > 0
            ? new Reduction([], ShardSet.Union(context.Spec.Shards, missing), [])
            : new Reduction([.. complete.SelectMany(report => report.SquaredNorms)], [], complete[0].Totals);
    }

    /// <summary>Has every holder apply a step.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public async Task ApplyAsync(ApplyRequest request)
    {
        var found = await EachHolderAsync(async (place, holder) =>
        {
            await Grain(place, holder).ApplyAsync(request);
            return true;
        });
        foreach (var (place, answers) in found)
        {
            if (answers.Count == 0) throw new PartitionsLostException($"all holders of partition {place.Index} are gone ({string.Join(", ", place.Holders)})");
            Keep(place, [.. answers.Select(answer => answer.Silo)]);
        }
    }

    private async Task ReleaseRetiredAsync(Fence fence)
    {
        await Task.WhenAll(_retired.Select(retired => ReleaseAsync(fence, retired.Place, retired.Silo)));
        _retired.Clear();
    }

    private async Task<bool> SeedAsync(Fence fence, PartitionPlace place, string silo, StepRecord? last)
    {
        try
        {
            await Grain(place, silo).SetUpAsync(new PartitionSetup(fence, place, context, PartitionSource.Holder, place.Holders[0], last));
            return true;
        }
#pragma warning disable CA1031 // Whatever is wrong with a silo that is to hold a copy, those that hold one go on.
        catch (Exception exception) when (exception is not SupersededException)
        {
            log.HolderLost(exception, context.RunId, place.Index, silo);
            if (!CallFailure.IsLoss(exception)) journal.Warn($"{silo} cannot hold partition {place.Index}: {exception.Message.Split('\n')[0]}");
            return false;
        }
#pragma warning restore CA1031
    }

    // The last driver died while it told the partitions to apply: those that were not told yet are told now.
    private async Task<bool> CatchUpAsync(PartitionPlace place, string holder, PartitionStatus status, long step, ApplyRequest? applied, Fence fence)
    {
        if (status.Version != step - 1 || applied is null) return false;
        try
        {
            var reduction = await Grain(place, holder).ReduceAsync(fence with { Step = step });
            if (!reduction.Missing.IsEmpty) return false;
            await Grain(place, holder).ApplyAsync(applied with { Fence = fence with { Step = step } });
            return true;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            return false;
        }
    }

    private async Task<List<(PartitionPlace Place, List<(string Silo, T Value)> Answers)>> EachHolderAsync<T>(Func<PartitionPlace, string, Task<T>> ask)
    {
        async Task<(bool Lives, T? Value)> AskAsync(PartitionPlace place, string holder)
        {
            try
            {
                return (true, await ask(place, holder));
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception) || exception is PartitionUnreachableException)
            {
                log.HolderLost(exception, context.RunId, place.Index, holder);
                return (false, default);
            }
        }

        var asked = Map.Places.Select(place => (place, Answers: place.Holders.Select(holder => (holder, Task: AskAsync(place, holder))).ToArray())).ToArray();
        var found = new List<(PartitionPlace, List<(string, T)>)>();
        foreach (var (place, answers) in asked)
        {
            var alive = new List<(string, T)>();
            foreach (var (holder, task) in answers)
                if (await task is (true, { } value)) alive.Add((holder, value));
            found.Add((place, alive));
        }

        return found;
    }

    private void Keep(PartitionPlace place, ImmutableArray<string> holders)
    {
        var dropped = place.Holders.Where(holder => !holders.Contains(holder)).ToArray();
        if (dropped.Length == 0) return;
        _retired.AddRange(dropped.Select(holder => (place, holder)));
        Map = new PartitionMap(Map.Places.SetItem(place.Index, Map.Places[place.Index] with { Holders = holders }));
        journal.Partitions(Map);
    }

    private void Drop(int index, string silo) =>
        Map = new PartitionMap(Map.Places.SetItem(index, Map.Places[index] with { Holders = Map.Places[index].Holders.Remove(silo) }));

    private async Task ReleaseAsync(Fence fence, PartitionPlace place, string silo)
    {
        try
        {
            await Grain(place, silo).ReleaseAsync(fence);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // What its silo had is gone with it.
        }
    }

    private IParameterServerGrain Grain(PartitionPlace place, string silo) => grains.GetGrain<IParameterServerGrain>(place.Key(context.RunId, silo));
}
