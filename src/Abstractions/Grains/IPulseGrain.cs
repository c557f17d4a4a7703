namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Answers on whichever silo a call enters the cluster by, so that a client learns whether its gateway is alive: a paused process
/// keeps its connections and says nothing.
/// </summary>
[Alias("genslm.IPulseGrain")]
public interface IPulseGrain : IGrainWithIntegerKey
{
    /// <summary>Answers.</summary>
    [Alias("beat")]
    Task BeatAsync();
}
