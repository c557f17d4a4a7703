using System.IO.Hashing;
using System.Runtime.InteropServices;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// One block of a partition's copy: its part of the three vectors, the contributions to the step being accumulated, and the
/// optimizer steps it has seen. What arrives late is refused however it is interleaved with Adam: a block counts its own version.
/// Pinned for a checkpoint, it can be read as of that version while Adam goes on: the first step that changes it copies it first.
/// </summary>
/// <param name="index">Which block of the flat vector.</param>
/// <param name="values">Parameters, first and second moments of the whole partition.</param>
/// <param name="start">Where the block begins in them.</param>
/// <param name="length">How many parameters it has.</param>
/// <param name="tree">The order of addition.</param>
/// <param name="exchange">What sums are rounded to.</param>
/// <param name="version">Optimizer steps that the values have seen; <see cref="BlockState.Empty"/>: there are none yet.</param>
/// <param name="room">Where sums wait beside the first.</param>
internal sealed class BlockState(int index, NativeVector[] values, int start, int length, ReductionTree tree, Precision exchange, long version, WaitingRoom room)
{
    /// <summary>The version of a block that has no values yet: it takes no sums, is not read, and steps pass it by.</summary>
    public const long Empty = -2;

    private const long Closed = long.MaxValue;
    private const long NotPinned = -1;

    private readonly SharedGate _values = new();

    // Taken inside the gate, never around it.
    private readonly Lock _sums = new();
    private readonly BlockSums _arrived = new(tree, length, exchange);

    private readonly List<(TreeNode Node, ulong Checksum)> _contributions = [];

    private long _version = version;
    private long _pinned = NotPinned;
    private NativeVector[] _kept = [];
    private NativeVector? _reduced;
    private int _places;

    public int Index => index;

    public int Length => length;

    /// <summary>Overwrites the parameters by <paramref name="fill"/> and clears the moments: the first touch of their memory.</summary>
    public void Initialize(Action<Span<float>>? fill) => _values.Write(() =>
    {
        if (_version == Closed) throw Stale(atVersion: 0);
        foreach (var kind in Enum.GetValues<BlockKind>()) Vector(kind).Clear();
        fill?.Invoke(Vector(BlockKind.Parameters));
        return true;
    });

    /// <summary>Whether it has gone <paramref name="steps"/> steps.</summary>
    public bool IsAfter(long steps) => _values.Read(() => _version == steps);

    /// <summary>Overwrites one vector with values after <paramref name="atVersion"/> steps; of an empty block that makes none yet.</summary>
    /// <exception cref="StaleMessageException">The block has gone on from there.</exception>
    public void Put(BlockKind kind, long atVersion, Block block) => _values.Write(() =>
    {
        if (_version != atVersion && _version != Empty) throw Stale(atVersion);
        block.Values.CopyTo(Vector(kind));
        return true;
    });

    /// <summary>The block was empty and has all its values now, after <paramref name="atVersion"/> steps.</summary>
    public void EndFilling(long atVersion) => _values.Write(() =>
    {
        if (_version == Empty) _version = atVersion;
        return true;
    });

    /// <summary>A copy of one vector after <paramref name="atVersion"/> steps.</summary>
    /// <exception cref="StaleMessageException">The block is at another version.</exception>
    public Block Copy(BlockKind kind, long atVersion) => _values.Read(() =>
    {
        var found = _version == atVersion ? Vector(kind) : Kept(kind, atVersion);
        var copy = Block.RentForAnswer(index, length);
        found.CopyTo(copy.Values);
        return copy;
    });

    /// <summary>Keeps the values as they are after <paramref name="atVersion"/> steps until they are unpinned, in place of what was pinned before.</summary>
    /// <exception cref="StaleMessageException">The block has gone on from there.</exception>
    public void Pin(long atVersion) => _values.Write(() =>
    {
        if (_pinned == atVersion) return false;
        if (_version != atVersion) throw Stale(atVersion);
        ForgetPinned();
        _pinned = atVersion;
        return true;
    });

    /// <summary>Gives back what was kept of the values after <paramref name="atVersion"/> steps, if anything was.</summary>
    public void Unpin(long atVersion) => _values.Write(() =>
    {
        if (_pinned != atVersion) return false;
        ForgetPinned();
        return true;
    });

    /// <summary>
    /// Takes a contribution to <paramref name="step"/>; takes the buffer over. One that is lent is read where it lies when it is the whole sum,
    /// can be added at once or may be kept, and else copied when it has to wait: its owner needs it for the next. False, and nothing is
    /// changed, when the block is not at that step.
    /// </summary>
    /// <param name="step">To which step.</param>
    /// <param name="node">What it is the sum over.</param>
    /// <param name="buffer">Its values.</param>
    /// <param name="checksum">XXH3-64 of the values, where whoever brought them has taken it.</param>
    /// <exception cref="HolderFullException">It would have to wait for others, and there is no memory for that; nothing is changed.</exception>
    /// <exception cref="StaleMessageException">The run's tree has no such node.</exception>
    public bool Contribute(long step, TreeNode node, NativeVector buffer, ulong? checksum = null) => _values.Read(() =>
    {
        lock (_sums)
        {
            if (_version != step - 1 || _reduced is not null)
            {
                BlockBuffers.Return(buffer);
                return _version == step - 1;
            }

            if (!tree.Contains(node))
            {
                BlockBuffers.Return(buffer);
                throw new StaleMessageException($"A tree of {tree.ShardCount} shards has no node {node.Index} of level {node.Level}.");
            }

            if (!MayWait(node))
            {
                BlockBuffers.Return(buffer);
                throw new HolderFullException($"Block {index} has no memory left for sums that wait for others; {_arrived.Count} do.");
            }

            // So that, should the copies differ at the step's end, it can be said what differed. Of the whole sum it is the sum's own.
            ulong arrived = node == tree.Root ? 0 : checksum ?? XxHash3.HashToUInt64(MemoryMarshal.AsBytes(buffer.Values[..length]));
            if (_arrived.Add(node, buffer)) _contributions.Add((node, arrived));
            else BlockBuffers.Return(buffer);
            LeavePlaces();
            return true;
        }
    });

    /// <summary>The shards that have not contributed to the step after <see cref="_version"/>.</summary>
    public IReadOnlyList<(int First, int End)> MissingShards()
    {
        lock (_sums) return _reduced is not null ? [] : [.. _arrived.MissingShards];
    }

    /// <summary>Closes the step's accumulation; the sum's squared norm and XXH3-64.</summary>
    public BlockNorm Reduce()
    {
        lock (_sums)
        {
            var norm = _arrived.NormOf(_reduced ??= _arrived.TakeWhole());
            for (int i = 0; i < _contributions.Count; i++)
                if (_contributions[i].Node == tree.Root) _contributions[i] = (tree.Root, norm.Checksum);
            return norm;
        }
    }

    /// <summary>What has arrived for the step at hand, in the order it came.</summary>
    public IReadOnlyList<(TreeNode Node, ulong Checksum)> Contributions()
    {
        lock (_sums) return [.. _contributions];
    }

    /// <summary>A copy of the reduced gradient of <paramref name="step"/>.</summary>
    /// <exception cref="StaleMessageException">It is not reduced, or applied already.</exception>
    public Block CopyReduced(long step) => _values.Read(() =>
    {
        lock (_sums)
        {
            if (_version != step - 1 || _reduced is null) throw Stale(step);
            var copy = Block.RentForAnswer(index, length);
            _reduced.Values[..length].CopyTo(copy.Values);
            return copy;
        }
    });

    /// <summary>Takes another copy's reduced gradient of <paramref name="step"/> in place of what has arrived here; takes the buffer over.</summary>
    /// <exception cref="StaleMessageException">The block is not at that step.</exception>
    public void PutReduced(long step, NativeVector buffer) => _values.Read(() =>
    {
        lock (_sums)
        {
            if (_version != step - 1 || _reduced is not null) BlockBuffers.Return(buffer);
            if (_version != step - 1) throw Stale(step);
            if (_reduced is not null) return false;
            _arrived.Clear();
            LeavePlaces();
            _reduced = buffer;
            return true;
        }
    });

    /// <summary>Applies a step once, or only counts it.</summary>
    /// <param name="number">The step.</param>
    /// <param name="step">Its numbers; null: it is left out.</param>
    /// <param name="mirrors">Replicas that take the new parameters while they are in the cache.</param>
    /// <param name="applied">Called when the values have changed, before the block says so.</param>
    public void Apply(long number, AdamStep? step, IReadOnlyList<IParameterMirror> mirrors, Action applied) => _values.Write(() =>
    {
        if (_version >= number || _version == Empty) return false;
        lock (_sums)
        {
            var gradient = _reduced ?? throw new StaleMessageException($"Block {index} is not reduced; step {number} cannot be applied to it.");
            if (_pinned == _version) _kept = [.. Enum.GetValues<BlockKind>().Select(CopyOf)];
            Apply(number, step, gradient, mirrors);
            applied();
            _reduced = null;
            BlockBuffers.Return(gradient);
            _arrived.Clear();
            _contributions.Clear();
            _version = number;
            return true;
        }
    });

    /// <summary>Gives the sums back and refuses everything from now on, so that the values' memory can be freed.</summary>
    public void Close() => _values.Write(() =>
    {
        lock (_sums)
        {
            _version = Closed;
            ForgetPinned();
            _arrived.Clear();
            LeavePlaces();
            if (_reduced is { } reduced) BlockBuffers.Return(reduced);
            _reduced = null;
            return true;
        }
    });

    private void Apply(long number, AdamStep? step, NativeVector gradient, IReadOnlyList<IParameterMirror> mirrors)
    {
        // Whoever accumulates into it next wants zeros: made here, they cost no pass over memory of their own.
        bool clears = step is not null && gradient.IsLent && gradient.Allows(LoanRights.Clear);
        foreach (var mirror in mirrors) mirror.Begin(index, number);
        var parameters = Vector(BlockKind.Parameters);
        var first = Vector(BlockKind.FirstMoment);
        var second = Vector(BlockKind.SecondMoment);
        for (int from = 0; from < length; from += BlockArithmetic.PieceLength)
        {
            int count = Math.Min(BlockArithmetic.PieceLength, length - from);
            var piece = gradient.Values.Slice(from, count);
            if (step is { } adam) FusedAdam.Apply(parameters.Slice(from, count), first.Slice(from, count), second.Slice(from, count), piece, adam);
            if (clears) piece.Clear();
            foreach (var mirror in mirrors) mirror.Write(index, from, parameters.Slice(from, count));
        }

        if (clears) gradient.MarkCleared();
        foreach (var mirror in mirrors) mirror.End(index, number);
    }

    // Of a block the first sum has its memory from the start. What the sums so far wait for is always taken: else all might wait for it.
    private bool MayWait(TreeNode node)
    {
        if (_arrived.Count == 0 || !_arrived.WouldWait(node)) return true;
        if (tree.Covers(node).First == _arrived.MissingShards.First().First) room.Take();
        else if (!room.TryTake()) return false;
        _places++;
        return true;
    }

    private void LeavePlaces()
    {
        int needed = Math.Max(0, _arrived.Count - 1);
        if (_places > needed) room.GiveBack(_places - needed);
        _places = Math.Min(_places, needed);
    }

    private Span<float> Kept(BlockKind kind, long atVersion) =>
        _pinned == atVersion && _kept.Length > 0 ? _kept[(int)kind].Values[..length] : throw Stale(atVersion);

    private NativeVector CopyOf(BlockKind kind)
    {
        var copy = BlockBuffers.Rent(length);
        Vector(kind).CopyTo(copy.Values);
        return copy;
    }

    private void ForgetPinned()
    {
        foreach (var vector in _kept) BlockBuffers.Return(vector);
        (_pinned, _kept) = (NotPinned, []);
    }

    private StaleMessageException Stale(long atVersion) => new(_version == Closed
        ? $"Block {index} is not held here any more."
        : _version == Empty ? $"Block {index} is being filled."
        : $"Block {index} is after step {_version}; what came is of step {atVersion}.");

    private Span<float> Vector(BlockKind kind) => values[(int)kind].Values.Slice(start, length);
}
