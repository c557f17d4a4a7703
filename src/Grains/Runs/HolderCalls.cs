using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Asks the copies of a run's partitions. Slow is not gone: as long as a copy's silo is a member it is asked again, with pauses; of one
/// that is gone, leaving or not what it should be there is no answer.
/// </summary>
internal sealed class HolderCalls(string runId, IGrainFactory grains, ClusterView view, RunJournal journal, TimeProvider time, ILogger log)
{
    // A holder that a step waits for: longer than a silo needs to be declared dead.
    private static readonly TimeSpan SlowPatience = TimeSpan.FromMinutes(2);

    public IParameterServerGrain Grain(PartitionPlace place, string silo) => grains.GetGrain<IParameterServerGrain>(place.Key(runId, silo));

    /// <summary>Asks all holders of all <paramref name="places"/> at once; by place, the answers of those that gave one.</summary>
    public async Task<List<(PartitionPlace Place, List<(string Silo, T Value)> Answers)>> EachAsync<T>(IEnumerable<PartitionPlace> places, Func<PartitionPlace, string, Task<T>> ask)
    {
        var asked = places.Select(place => (place, Answers: place.Holders.Select(silo => (silo, Task: AskAsync(place, silo, ask))).ToArray())).ToArray();
        var found = new List<(PartitionPlace, List<(string, T)>)>();
        foreach (var (place, answers) in asked)
        {
            var alive = new List<(string, T)>();
            foreach (var (silo, task) in answers)
                if (await task is (true, { } value)) alive.Add((silo, value));
            found.Add((place, alive));
        }

        return found;
    }

    /// <summary>Tells all holders of all <paramref name="places"/> something at once; by place, those that have done it.</summary>
    public Task<List<(PartitionPlace Place, List<(string Silo, bool Value)> Answers)>> TellAsync(IEnumerable<PartitionPlace> places, Func<PartitionPlace, IParameterServerGrain, Task> tell) =>
        EachAsync(places, async (place, silo) =>
        {
            await tell(place, Grain(place, silo));
            return true;
        });

    /// <summary>Has one take a step's whole sum from another, for the blocks that it has; what it lacks then. Null: it, or the other, is lost.</summary>
    public async Task<ReductionReport?> TakeReducedAsync(Fence fence, PartitionPlace place, string holder, string from) => (await AskAsync(place, holder, async (_, silo) =>
    {
        await Grain(place, silo).TakeReducedAsync(fence, from);
        return await Grain(place, silo).ReduceAsync(fence);
    }, from)).Value;

    /// <summary>Closes a step's accumulation in a partition's copies once they are filled, or says what they lack.</summary>
    public async Task<List<(string Silo, ReductionReport Report)>> ReduceFilledAsync(Fence fence, PartitionPlace place) => (await EachAsync([place], async (_, holder) =>
    {
        await Grain(place, holder).FilledAsync(fence);
        return await Grain(place, holder).ReduceAsync(fence);
    }))[0].Answers;

    /// <summary>Tells one to let go of its copy.</summary>
    public async Task ReleaseAsync(Fence fence, PartitionPlace place, string silo)
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

    /// <param name="place">The partition.</param>
    /// <param name="silo">Whose copy is asked.</param>
    /// <param name="ask">What.</param>
    /// <param name="from">The silo that it needs for an answer: without that there is none either.</param>
    private async Task<(bool Lives, T? Value)> AskAsync<T>(PartitionPlace place, string silo, Func<PartitionPlace, string, Task<T>> ask, string? from = null)
    {
        var backoff = new Backoff(time, SlowPatience);
        while (view.Names.Contains(silo) && (from is null || view.Names.Contains(from)))
        {
            try
            {
                return (true, await ask(place, silo));
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception) || exception is PartitionUnreachableException)
            {
                bool isSlow = CallFailure.IsSlow(exception);
                if (isSlow && await backoff.PauseAsync()) continue;
                if (isSlow) journal.Warn($"{silo} lives and has not answered for partition {place.Index} for {SlowPatience.TotalMinutes:F0} minutes; its copy is not counted on any more: {exception.Message.Split('\n')[0]}");
                log.HolderLost(exception, runId, place.Index, silo);
                return (false, default);
            }
        }

        return (false, default);
    }
}
