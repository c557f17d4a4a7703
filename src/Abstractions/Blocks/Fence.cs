namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Says to which run, optimizer step and driver a message belongs. Every activation of the run grain that takes the run
/// over, and every fall-back to a checkpoint, counts the generation up; what decides is refused from an older one.
/// </summary>
[GenerateSerializer, Immutable, Alias("genslm.Fence")]
public readonly record struct Fence([property: Id(0)] string RunId, [property: Id(1)] long Step, [property: Id(2)] long Generation);
