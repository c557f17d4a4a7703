using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

// What a pickle turns into: null, bool, long, double, string, byte[] as themselves, and these.

/// <summary>A tuple; torch.Size is one too.</summary>
internal sealed class PickleTuple(object?[] items)
{
    public object?[] Items { get; } = items;
}

/// <summary>A list or a set.</summary>
internal sealed class PickleList
{
    public List<object?> Items { get; } = [];
}

/// <summary>A dict or an OrderedDict: its pairs, in the order in which they were set.</summary>
internal sealed class PickleDictionary
{
    public List<(object? Key, object? Value)> Items { get; } = [];
}

/// <summary>A name that Python would import. Nothing is imported: it is only compared with the few names that are known.</summary>
internal sealed record PickleGlobal(string Name);

/// <summary>A value made by something that is not known, or of a kind that does not matter here: it can be carried about, no more.</summary>
internal sealed record PickleOpaque(string Origin);

/// <summary>A storage: an entry <c>data/Key</c> of the archive. The element type is null where it has no place here (complex, quantised).</summary>
internal sealed record PickleStorage(TensorElementType? ElementType, string Key, long ElementCount);

/// <summary>A tensor: a strided view into a storage. Sizes are in elements, unchecked.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, ImmutableArray<long> Shape, ImmutableArray<long> Strides);
