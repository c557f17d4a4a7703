namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>Attributes a device's time to phases: what has passed since the last end belongs to the phase that ends now.</summary>
internal sealed class PhaseClock(ClusterMetrics metrics, TimeProvider time, string runId, string device)
{
    private long _start = time.GetTimestamp();

    public void Ended(string phase)
    {
        long now = time.GetTimestamp();
        metrics.DeviceSpent(runId, device, phase, time.GetElapsedTime(_start, now).TotalSeconds);
        _start = now;
    }
}
