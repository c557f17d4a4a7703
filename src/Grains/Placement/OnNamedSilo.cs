using GenSlmOrleans.Abstractions;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace GenSlmOrleans.Grains.Placement;

/// <summary>Grains whose key ends in <c>@silo</c> live on that silo and nowhere else: the run grain decides where, nothing is random.</summary>
[GenerateSerializer, Immutable, Alias("genslm.OnNamedSilo")]
public sealed class OnNamedSilo : PlacementStrategy
{
    internal static OnNamedSilo Singleton { get; } = new();

    /// <summary>The silo that a grain key names.</summary>
    public static string SiloOf(string grainKey) => grainKey[(grainKey.LastIndexOf('@') + 1)..];
}

[AttributeUsage(AttributeTargets.Class)]
public sealed class OnNamedSiloAttribute() : PlacementAttribute(OnNamedSilo.Singleton);

/// <summary>Finds the live silo of the name in a grain's key.</summary>
public sealed class NamedSiloDirector(IClusterMembershipService membership) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var name = OnNamedSilo.SiloOf(target.GrainIdentity.Key.ToString()!);
        var compatible = context.GetCompatibleSilos(target);
        foreach (var member in membership.CurrentSnapshot.Members.Values)
        {
            if (member.Status != SiloStatus.Active || member.Name != name) continue;
            // What it offers has not been heard of yet: that passes, and placement tries again.
            return compatible.Contains(member.SiloAddress) ? Task.FromResult(member.SiloAddress) : throw new SiloUnavailableException($"Silo {name} has not said yet what it offers.");
        }

        throw new NotAMemberException($"Silo {name} is not a live member of the cluster.");
    }
}
