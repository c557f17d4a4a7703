using GenSlmOrleans.Genomics;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>What a device has to stand. Tests put others in the place of the real ones, for their devices are never broken.</summary>
/// <param name="Prove">Before it computes for a run; fails where it does not give the same bits twice.</param>
/// <param name="Probe">After an error on it; fails where it computes nothing any more.</param>
public sealed record DeviceTrials(Action<Replica, string, MicroBatch> Prove, Action<string> Probe)
{
    public static DeviceTrials Real { get; } = new(ReplicaProof.Prove, DeviceProbe.Compute);
}
