using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

// What a pickle turns into: null, bool, long, double, string as themselves, and these.

/// <summary>A tuple; torch.Size is one too.</summary>
internal sealed class PickleTuple(object?[] items)
{
    public object?[] Items { get; } = items;
}

/// <summary>A list or a set.</summary>
internal sealed class PickleList
{
    private List<object?>? _items;

    public List<object?> Items => _items ??= [];
}

/// <summary>A dict or an OrderedDict: its pairs, in the order in which they were set.</summary>
internal sealed class PickleDictionary
{
    private List<(object? Key, object? Value)>? _items;

    public List<(object? Key, object? Value)> Items => _items ??= [];
}

/// <summary>A name that Python would import. Nothing is imported: it is only compared with the few names that are known.</summary>
internal sealed record PickleGlobal(string Name);

/// <summary>A value made by something that is not known, or of a kind that does not matter here: it can be carried about, no more.</summary>
internal sealed record PickleOpaque(string Origin);

/// <summary>
/// A storage, one run of elements in the file: an entry <c>data/Key</c> of an archive, or one of those at the end of the
/// format before 1.6. The element type is null where it has no place here (complex, quantised).
/// </summary>
/// <param name="ElementType">What the elements are; null when they are not read.</param>
/// <param name="ElementSize">Bytes of an element; 0 when that is not known either.</param>
/// <param name="Key">The storage's name in the file.</param>
/// <param name="ElementCount">Its elements.</param>
/// <param name="ViewOffset">Where the part begins that is meant here (before 0.4, storages could be parts of others).</param>
internal sealed record PickleStorage(TensorElementType? ElementType, int ElementSize, string Key, long ElementCount, long ViewOffset)
{
    /// <summary>True when both are the same run of elements, whichever part is meant.</summary>
    public bool IsSameAs(PickleStorage other) => this == other with { ViewOffset = ViewOffset };
}

/// <summary>A tensor: a strided view into a storage. Sizes are in elements, unchecked.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, ImmutableArray<long> Shape, ImmutableArray<long> Strides);
