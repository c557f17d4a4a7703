using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Brings copies of partitions that an earlier driver left behind by one step to where the others are.</summary>
internal sealed class LateCopies(Func<PartitionPlace, string, IParameterServerGrain> grain)
{
    /// <summary>The request with what the shards put in: the first partition alone keeps that, and may not have been told to apply the step yet.</summary>
    public async Task<ApplyRequest?> WithTotalsAsync(ApplyRequest? applied, PartitionPlace place, List<(string Silo, PartitionStatus Status)> answers, Fence fence)
    {
        if (applied is null || applied.Record.Skipped) return applied;
        long step = applied.Fence.Step;
        var known = answers.Select(answer => answer.Status.Applied).FirstOrDefault(request => request?.Fence.Step == step);
        if (known is not null) return applied with { Record = known.Record };
        foreach (var (holder, status) in answers.Where(answer => answer.Status.Holds && answer.Status.Version == step - 1))
        {
            try
            {
                if (await grain(place, holder).ReduceAsync(fence with { Step = step }) is { Missing.IsEmpty: true } report) return applied with { Record = applied.Record with { Shards = report.Totals } };
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                // Another copy may know.
            }
        }

        return applied;
    }

    /// <summary>Has a copy apply the step that others have applied: the last driver died while it told the partitions to.</summary>
    public async Task<bool> CatchUpAsync(PartitionPlace place, string holder, PartitionStatus status, long step, ApplyRequest? applied, Fence fence)
    {
        if (status.Version != step - 1 || applied is null) return false;
        try
        {
            var reduction = await grain(place, holder).ReduceAsync(fence with { Step = step });
            if (!reduction.Missing.IsEmpty) return false;
            await grain(place, holder).ApplyAsync(applied with { Fence = fence with { Step = step } });
            return true;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            return false;
        }
    }
}
