namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Keeps a checkpoint that did not fit from being written to the last byte again and again: it is tried when the disk says
/// that there is room, and now and then whatever the disk says, since quotas do not show in what it says.
/// </summary>
internal sealed class CheckpointRoom(TimeProvider time)
{
    private static readonly TimeSpan Trust = TimeSpan.FromSeconds(30);

    private long? _short;

    /// <summary>Says that a checkpoint did not fit.</summary>
    public void WasShort() => _short = time.GetTimestamp();

    /// <summary>Throws what the system would when it is known that there is no room.</summary>
    /// <exception cref="IOException">The last one did not fit a moment ago, and there is still less room than it takes.</exception>
    public void CheckBefore(OpenedOutput opened)
    {
        if (_short is not { } since || time.GetElapsedTime(since) > Trust) return;
        long needed = 3L * sizeof(float) * opened.Plan.Layout.ParameterCount;
        if (new DriveInfo(opened.Plan.Spec.Output).AvailableFreeSpace < needed) throw DiskFull.Of(opened.Plan.Spec.Output);
    }
}
