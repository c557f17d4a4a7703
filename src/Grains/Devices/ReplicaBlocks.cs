using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// Which version each block of a replica's parameters is of, and who writes it: the device's thread with what has been fetched, or,
/// where the parameters lie in host memory, the threads that apply a step here. One at a time for each block.
/// </summary>
internal sealed class ReplicaBlocks(Replica replica, int blockCount) : IParameterMirror, IDisposable
{
    private const long Unknown = -1;

    private readonly long[] _versions = [.. Enumerable.Repeat(Unknown, blockCount)];
    private readonly Lock[] _gates = [.. Enumerable.Range(0, blockCount).Select(_ => new Lock())];
    private readonly HostParameters? _shared = replica.TryShareParameters();
    private volatile bool _disposed;

    /// <summary>Whether it takes parameters as they are applied.</summary>
    public bool IsShared => _shared is not null && !_disposed;

    /// <summary>Blocks whose parameters are not those after <paramref name="version"/> steps.</summary>
    public IEnumerable<int> OlderThan(long version) => Enumerable.Range(0, _versions.Length).Where(block => Lacks(block, version));

    /// <summary>Whether a block's parameters are not those after <paramref name="version"/> steps.</summary>
    public bool Lacks(int block, long version) => Volatile.Read(ref _versions[block]) != version;

    /// <summary>Overwrites a block's parameters with those of <paramref name="version"/>, on the device's thread.</summary>
    public void Write(Block block, long version)
    {
        lock (_gates[block.Index])
        {
            Mark(block.Index, Unknown);
            replica.WriteParameters(ParameterLayout.BlockOffset(block.Index), block.Values);
            Mark(block.Index, version);
        }
    }

    void IParameterMirror.Begin(int block, long version)
    {
        _gates[block].Enter();
        Mark(block, Unknown);
    }

    void IParameterMirror.Write(int block, int from, ReadOnlySpan<float> values)
    {
        if (!_disposed) _shared!.Write(ParameterLayout.BlockOffset(block) + from, values);
    }

    void IParameterMirror.End(int block, long version)
    {
        if (!_disposed) Mark(block, version);
        _gates[block].Exit();
    }

    private void Mark(int block, long version) => Volatile.Write(ref _versions[block], version);

    /// <summary>Lets go of the memory when nobody writes to it any more.</summary>
    public void Dispose()
    {
        foreach (var gate in _gates) gate.Enter();
        _disposed = true;
        _shared?.Dispose();
        foreach (var gate in _gates) gate.Exit();
    }
}
