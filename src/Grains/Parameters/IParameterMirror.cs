namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// A replica on the same silo that takes a partition's parameters as they change, block by block, each from one thread: begin, write
/// piece after piece, end.
/// </summary>
public interface IParameterMirror
{
    /// <summary>The block is about to become that of <paramref name="version"/> steps. Whoever else writes it waits until <see cref="End"/>.</summary>
    void Begin(int block, long version);

    /// <summary>Parameters <paramref name="from"/>… of the block.</summary>
    void Write(int block, int from, ReadOnlySpan<float> values);

    /// <summary>All of it has been written.</summary>
    void End(int block, long version);
}
