namespace GenSlmOrleans.Training;

/// <summary>Adds contributions along the tree as they arrive, in any order, to the same bits.</summary>
public sealed class ReductionAccumulator<TBuffer>(ReductionTree tree, Func<TBuffer, TBuffer, TBuffer> addRightIntoLeft)
{
    private readonly Dictionary<TreeNode, TBuffer> _held = [];

    public IReadOnlyCollection<TreeNode> Held => _held.Keys;

    public bool IsComplete => _held.ContainsKey(tree.Root);

    /// <summary>Takes a node's sum; false when its shards are there already.</summary>
    public bool Add(TreeNode node, TBuffer value)
    {
        var (first, end) = tree.Covers(node);
        foreach (var known in _held.Keys)
        {
            var (knownFirst, knownEnd) = tree.Covers(known);
            if (knownFirst <= first && end <= knownEnd) return false;
            if (knownFirst < end && first < knownEnd)
                throw new InvalidOperationException($"Shards {first}-{end - 1} overlap shards {knownFirst}-{knownEnd - 1}, which are there already.");
        }

        while (node != tree.Root)
        {
            var sibling = tree.Sibling(node);
            var (siblingFirst, siblingEnd) = tree.Covers(sibling);
            if (siblingFirst < siblingEnd)
            {
                if (!_held.Remove(sibling, out var other)) break;
                value = node.Index < sibling.Index ? addRightIntoLeft(value, other) : addRightIntoLeft(other, value);
            }

            node = tree.Parent(node);
        }

        _held.Add(node, value);
        return true;
    }

    /// <summary>Takes the whole sum out; the accumulator is empty again.</summary>
    public TBuffer TakeRoot() => _held.Remove(tree.Root, out var root) ? root : throw new InvalidOperationException("Not all shards have contributed.");

    /// <summary>Takes everything out.</summary>
    public List<(TreeNode Node, TBuffer Value)> Drain()
    {
        var all = _held.Select(pair => (pair.Key, pair.Value)).ToList();
        _held.Clear();
        return all;
    }

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
}
