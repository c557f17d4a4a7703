namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Says to which run, optimizer step and plan a message belongs. The run grain counts the generation up whenever it
/// plans anew; a partition refuses what carries an older one than it has seen.
/// </summary>
[GenerateSerializer, Immutable, Alias("genslm.Fence")]
public readonly record struct Fence([property: Id(0)] string RunId, [property: Id(1)] long Step, [property: Id(2)] long Generation);
