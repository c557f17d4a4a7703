namespace GenSlmOrleans.Training;

/// <summary>
/// Adds contributions along the tree as they arrive, in any order, to the same bits. It holds sums of disjoint sets of
/// shards, no two of them siblings: what can be added has been.
/// </summary>
/// <typeparam name="TBuffer">What is added up.</typeparam>
/// <param name="tree">The order of addition.</param>
/// <param name="addRightIntoLeft">Adds its second argument, which is not used again, to its first and returns the sum.</param>
/// <param name="discard">Is given what a larger sum replaces.</param>
public sealed class ReductionAccumulator<TBuffer>(ReductionTree tree, Func<TBuffer, TBuffer, TBuffer> addRightIntoLeft, Action<TBuffer>? discard = null)
{
    private readonly Dictionary<TreeNode, TBuffer> _held = [];

    /// <summary>The nodes whose sums are held.</summary>
    public IReadOnlyCollection<TreeNode> Held => _held.Keys;

    /// <summary>Whether all shards have contributed.</summary>
    public bool IsComplete => _held.ContainsKey(tree.Root);

    /// <summary>The shards that have not contributed, as ranges from First to End - 1 in shard order.</summary>
    public IEnumerable<(int First, int End)> MissingShards
    {
        get
        {
            int next = 0;
            foreach (var (first, end) in _held.Keys.Select(tree.Covers).OrderBy(range => range.First))
            {
                if (next < first) yield return (next, first);
                next = end;
            }

            if (next < tree.ShardCount) yield return (next, tree.ShardCount);
        }
    }

    /// <summary>
    /// Takes a node's sum; false, and <paramref name="value"/> stays the caller's, when its shards are there already. Sums
    /// over some of its shards, which a device that was lost may have left, give way to it: they are part of it.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The tree has no such node.</exception>
    public bool Add(TreeNode node, TBuffer value)
    {
        if (!tree.Contains(node)) throw new ArgumentOutOfRangeException(nameof(node), node, $"A tree of {tree.ShardCount} shards has no such node.");
        if (IsThere(node)) return false;
        DropBelow(node);
        while (node != tree.Root)
        {
            var sibling = tree.Sibling(node);
            // Where the number of shards is no power of two, a node may have no sibling and is its parent's whole value.
            if (tree.Contains(sibling))
            {
                if (!_held.Remove(sibling, out var other)) break;
                value = node.Index < sibling.Index ? addRightIntoLeft(value, other) : addRightIntoLeft(other, value);
            }

            node = tree.Parent(node);
        }

        _held.Add(node, value);
        return true;
    }

    /// <summary>Whether a node's sum, if added now, would have to wait for a neighbour beside those that wait already.</summary>
    public bool WouldWait(TreeNode node)
    {
        if (IsThere(node) || Below(node).Any()) return false;
        for (; node != tree.Root; node = tree.Parent(node))
            if (tree.Contains(tree.Sibling(node))) return !_held.ContainsKey(tree.Sibling(node));
        return true;
    }

    /// <summary>Puts others in the place of the sums that are held.</summary>
    public void Replace(Func<TBuffer, TBuffer> other)
    {
        foreach (var node in _held.Keys.ToArray()) _held[node] = other(_held[node]);
    }

    /// <summary>Takes the whole sum out; the accumulator is empty again.</summary>
    /// <exception cref="InvalidOperationException">Shards are missing.</exception>
    public TBuffer TakeRoot() => _held.Remove(tree.Root, out var root) ? root : throw new InvalidOperationException("Not all shards have contributed.");

    /// <summary>Takes one node's sum out, when it is held as such.</summary>
    public bool TryTake(TreeNode node, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out TBuffer value) => _held.Remove(node, out value);

    /// <summary>Takes all sums out, in no particular order; the accumulator is empty again.</summary>
    public List<(TreeNode Node, TBuffer Value)> Drain()
    {
        var all = _held.Select(pair => (pair.Key, pair.Value)).ToList();
        _held.Clear();
        return all;
    }

    // Nodes of one tree are disjoint or one holds the other: there is no third case.
    private bool IsThere(TreeNode node)
    {
        var (first, end) = tree.Covers(node);
        return _held.Keys.Select(tree.Covers).Any(known => known.First <= first && end <= known.End);
    }

    private void DropBelow(TreeNode node)
    {
        foreach (var below in Below(node).ToArray())
            if (_held.Remove(below, out var part)) discard?.Invoke(part);
    }

    private IEnumerable<TreeNode> Below(TreeNode node)
    {
        var (first, end) = tree.Covers(node);
        return _held.Keys.Where(known => tree.Covers(known) is var range && first <= range.First && range.End <= end);
    }
}
