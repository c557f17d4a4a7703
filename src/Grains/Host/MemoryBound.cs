using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Host;

/// <summary>One thing that bounds this process's memory, and what is left of it now.</summary>
/// <param name="Pool">How much there is, and for whom.</param>
/// <param name="FreeBytes">How much of it nobody uses at the moment; what the system keeps only to be faster counts as free.</param>
public sealed record MemoryBound(MemoryPool Pool, long FreeBytes);
