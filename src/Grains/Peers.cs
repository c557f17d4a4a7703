using Orleans.Runtime;

namespace GenSlmOrleans.Grains;

/// <summary>Which silos are members of the cluster: the only word on who is gone. Asked from any thread, answers at once.</summary>
public sealed class Peers(IClusterMembershipService membership)
{
    /// <summary>The members' names, in order.</summary>
    public IEnumerable<string> Names => membership.CurrentSnapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.Name).Order(StringComparer.Ordinal);

    /// <summary>Whether a silo of this name is a member.</summary>
    public bool IsMember(string silo)
    {
        foreach (var member in membership.CurrentSnapshot.Members.Values)
            if (member.Status == SiloStatus.Active && member.Name == silo) return true;
        return false;
    }
}
