using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What earlier drivers of a run have left on the silos, for one that ends the run before it has a team.</summary>
internal static class LeftSites
{
    /// <summary>Lets go of everything that the run holds anywhere.</summary>
    public static Task CloseAsync(string runId, RunSurroundings surroundings) => Task.WhenAll(surroundings.Membership.CurrentSnapshot.Members.Values
        .Where(member => member.Status == SiloStatus.Active)
        .Select(async member =>
        {
            try
            {
                await surroundings.Grains.GetGrain<ISiteGrain>($"{runId}/site@{member.Name}").CloseAsync(new Fence(runId, 0, surroundings.Record.Generation));
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                // What it had is gone with it.
            }
        }));
}
