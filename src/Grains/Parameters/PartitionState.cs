using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// What a copy of a partition holds: parameters, Adam's moments, and the contributions to the step being accumulated, block by
/// block, in native memory that is taken once. Not a grain: all work on it is done on the silo's own threads, several blocks
/// at once.
/// </summary>
internal sealed class PartitionState : IDisposable
{
    private readonly ModelPlan _plan;
    private readonly ComputeThreads _compute;
    private readonly NativeVector[] _values;
    private readonly BlockState[] _blocks;
    private readonly int _firstBlock;
    private readonly bool _keepsTotals;
    private readonly SortedDictionary<int, ShardTotals> _totals = [];
    private readonly Lock _filling = new();
    private long _followed = BlockState.Empty;
    private volatile bool _isClosed;

    /// <param name="plan">The run's model.</param>
    /// <param name="place">The blocks this partition owns.</param>
    /// <param name="version">Optimizer steps that the parameters have seen.</param>
    /// <param name="compute">Where the work is done.</param>
    /// <param name="room">Where sums wait for others, beyond one a block; null: there is no bound.</param>
    /// <param name="isEmpty">Whether its blocks have no values yet and are filled one by one (<see cref="TryEndFilling"/>) while steps go on.</param>
    public PartitionState(ModelPlan plan, PartitionPlace place, long version, ComputeThreads compute, WaitingRoom? room = null, bool isEmpty = false)
    {
        (_plan, _compute, _firstBlock, _keepsTotals, Version) = (plan, compute, place.FirstBlock, place.Index == 0, version);
        int length = Enumerable.Range(place.FirstBlock, place.BlockCount).Sum(plan.Layout.BlockSize);
        room ??= WaitingRoom.Boundless;
        _values = [.. Enum.GetValues<BlockKind>().Select(_ => new NativeVector(length))];
        _blocks = [.. Enumerable.Range(0, place.BlockCount).Select(i => new BlockState(
            place.FirstBlock + i, _values, i * ParameterLayout.BlockLength, plan.Layout.BlockSize(place.FirstBlock + i), plan.Tree, plan.Spec.Exchange, isEmpty ? BlockState.Empty : version, room))];
    }

    /// <summary>Optimizer steps that all parameters have seen, or will have when they are there.</summary>
    public long Version { get; private set; }

    /// <summary>What sums of gradients are rounded to, and sent in.</summary>
    public Precision Exchange => _plan.Spec.Exchange;

    /// <summary>How many parameters it holds.</summary>
    public long ParameterCount => _values[0].Length;

    /// <summary>The blocks' numbers.</summary>
    public IEnumerable<int> Blocks => _blocks.Select(block => block.Index);

    /// <summary>Fills the parameters from the run's seed; the moments are 0.</summary>
    public Task FillFromSeedAsync() => InitializeAsync(block => values =>
        ParameterInitialization.Fill(_plan.Config, _plan.Spec.Seed, ParameterLayout.BlockOffset(block.Index), values));

    /// <summary>Clears everything: the values will come from elsewhere.</summary>
    public Task ClearAsync() => InitializeAsync(_ => null);

    /// <summary>Overwrites one block of one vector that is after <paramref name="version"/> steps.</summary>
    /// <exception cref="StaleMessageException">The block has gone on from there.</exception>
    public Task PutAsync(BlockKind kind, long version, Block block) => _compute.RunAsync(() => Find(block.Index).Put(kind, version, block));

    /// <summary>Whether it has been let go of.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>
    /// From now on no block is filled with what is before <paramref name="step"/>: it would miss the step's gradient, which those that are
    /// there take now. It is filled with what is after it.
    /// </summary>
    /// <returns>The blocks that take the gradient.</returns>
    public ImmutableArray<int> Follow(long step)
    {
        lock (_filling)
        {
            _followed = Math.Max(_followed, step - 1);
            return [.. _blocks.Where(block => block.IsAfter(step - 1)).Select(block => block.Index)];
        }
    }

    /// <summary>Whether nothing can be filled before the step at hand is applied.</summary>
    public bool IsFollowing
    {
        get
        {
            lock (_filling) return _followed == Version;
        }
    }

    /// <summary>An empty block has all its values, after <paramref name="version"/> steps. False when the partition has gone on from there: they are of no use.</summary>
    public bool TryEndFilling(int index, long version)
    {
        lock (_filling)
        {
            if (Version != version || _followed == version) return false;
            Find(index).EndFilling(version);
            return true;
        }
    }

    /// <summary>A copy of one block of one vector after <paramref name="version"/> steps, at which it is or is pinned.</summary>
    /// <exception cref="StaleMessageException">The block is at another version.</exception>
    public Task<Block> CopyAsync(BlockKind kind, int index, long version) => _compute.RunAsync(() => Copy(kind, index, version));

    /// <summary>The same on the thread that asks.</summary>
    public Block Copy(BlockKind kind, int index, long version) => Find(index).Copy(kind, version);

    /// <summary>How many values a block has; 0 when it is not this partition's.</summary>
    public int LengthOf(int index) => index >= _firstBlock && index - _firstBlock < _blocks.Length ? Find(index).Length : 0;

    /// <summary>Keeps all blocks as they are after <paramref name="version"/> steps, to be copied while Adam goes on. One version at a time.</summary>
    /// <exception cref="StaleMessageException">The blocks have gone on from there.</exception>
    public Task PinAsync(long version) => _compute.ForEachAsync(_blocks.Length, i => _blocks[i].Pin(version));

    /// <summary>Gives back what was kept of the values after <paramref name="version"/> steps.</summary>
    public Task UnpinAsync(long version) => _compute.ForEachAsync(_blocks.Length, i => _blocks[i].Unpin(version));

    /// <summary>
    /// Takes a contribution to <paramref name="step"/>: the sum over a tree node's shards. Takes the buffer over; it goes
    /// back when those shards are there already.
    /// </summary>
    /// <returns>False when the block is not at that step: nothing was changed.</returns>
    /// <exception cref="HolderFullException">It would have to wait for others, and there is no memory for that: nothing was changed.</exception>
    public Task<bool> ContributeAsync(long step, TreeNode node, IReadOnlyCollection<ShardTotals> totals, int index, NativeVector buffer) =>
        _compute.RunAsync(() => Contribute(step, node, totals, index, buffer));

    /// <summary>The same on the thread that asks; <paramref name="checksum"/> where the values' XXH3-64 is known.</summary>
    public bool Contribute(long step, TreeNode node, IReadOnlyCollection<ShardTotals> totals, int index, NativeVector buffer, ulong? checksum = null)
    {
        if (!Find(index).Contribute(step, node, buffer, checksum)) return false;
        Keep(step, totals);
        return true;
    }

    /// <summary>What has arrived for the step at hand, block by block.</summary>
    public Task<ImmutableArray<ContributionDigest>> ContributionsAsync() => _compute.RunAsync(ImmutableArray<ContributionDigest> () =>
        [.. _blocks.SelectMany(block => block.Contributions().Select(arrived => new ContributionDigest(block.Index, new TreePlace(arrived.Node.Level, arrived.Node.Index), arrived.Checksum)))]);

    /// <summary>A copy of a block of the reduced gradient of <paramref name="step"/>, on the thread that asks.</summary>
    /// <exception cref="StaleMessageException">It is not reduced, or applied already.</exception>
    public Block CopyReduced(int index, long step) => Find(index).CopyReduced(step);

    /// <summary>Takes another copy's reduced gradient for what has arrived here; takes the buffer over.</summary>
    /// <exception cref="StaleMessageException">The block is not at that step.</exception>
    public Task PutReducedAsync(long step, int index, NativeVector buffer) => _compute.RunAsync(() => Find(index).PutReduced(step, buffer));

    /// <summary>Takes what the shards put in from another copy.</summary>
    public void TakeTotals(long step, IReadOnlyCollection<ShardTotals> totals) => Keep(step, totals);

    /// <summary>Closes the step's accumulation when no shard is missing in any block.</summary>
    public async Task<ReductionReport> ReduceAsync()
    {
        var missing = await _compute.RunAsync(Missing);
        if (missing.Length > 0) return new ReductionReport([], missing, Totals());
        var norms = new double[_blocks.Length];
        var checksums = new ulong[_blocks.Length];
        await _compute.ForEachAsync(norms.Length, i => (norms[i], checksums[i]) = _blocks[i].Reduce());
        return new ReductionReport([.. norms], [], Totals()) { Checksums = [.. checksums] };
    }

    /// <summary>Applies Adam to the blocks that have not seen the step yet, or only counts it. Killed in the middle it is done again by another copy.</summary>
    /// <param name="request">The step.</param>
    /// <param name="mirrors">Replicas here that take the new parameters with it.</param>
    public async Task ApplyAsync(ApplyRequest request, params IReadOnlyList<IParameterMirror> mirrors)
    {
        long number = request.Fence.Step;
        AdamStep? step = request.Record.Skipped ? null : AdamStep.Create(_plan.Adam, number, request.LearningRate, request.GradientFactor);
        await _compute.ForEachAsync(_blocks.Length, i => _blocks[i].Apply(number, step, mirrors, () => FaultPoint.Reach(FaultPhase.Apply, number)));
        lock (_filling)
        {
            lock (_totals)
            {
                _totals.Clear();
                Version = number;
            }
        }
    }

    private Task InitializeAsync(Func<BlockState, Action<Span<float>>?> fill) => _compute.ForEachAsync(_blocks.Length, i => _blocks[i].Initialize(fill(_blocks[i])));

    private void Keep(long step, IReadOnlyCollection<ShardTotals> totals)
    {
        lock (_totals)
        {
            if (_keepsTotals && Version == step - 1)
                foreach (var shard in totals) _totals.TryAdd(shard.Shard, shard);
        }
    }

    private ImmutableArray<ShardTotals> Totals()
    {
        lock (_totals) return [.. _totals.Values];
    }

    private ImmutableArray<ShardRange> Missing()
    {
        var lacks = new bool[_plan.Tree.ShardCount];
        foreach (var block in _blocks)
            foreach (var (first, end) in block.MissingShards()) lacks.AsSpan(first, end - first).Fill(true);

        if (!_keepsTotals) return ShardSet.Ranges(lacks);
        lock (_totals)
            for (int shard = 0; shard < lacks.Length; shard++) lacks[shard] |= !_totals.ContainsKey(shard);
        return ShardSet.Ranges(lacks);
    }

    private BlockState Find(int index) => _blocks[index - _firstBlock];

    /// <summary>Refuses what still comes and gives all memory back, when nobody is at it any more.</summary>
    public void Dispose()
    {
        _isClosed = true;
        foreach (var block in _blocks) block.Close();
        foreach (var vector in _values) vector.Free();
    }
}
