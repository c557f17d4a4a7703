namespace GenSlmOrleans.Fuzzing;

/// <summary>All targets.</summary>
public static class FuzzTargets
{
    /// <summary>The targets of weights and configurations.</summary>
    public static IReadOnlyList<FuzzTarget> Weights { get; } =
        [new TorchArchiveTarget(), new LegacyTorchTarget(), new SafetensorsTarget(), new ShardedIndexTarget(), new ConfigurationTarget()];

    /// <summary>The targets of sequences.</summary>
    public static IReadOnlyList<FuzzTarget> Sequences { get; } = [new FastaTarget(), new GzipFastaTarget(), new Hdf5Target()];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } = [.. Weights, .. Sequences];
}
