namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>How chunks are found.</summary>
internal enum Hdf5IndexKind
{
    /// <summary>No chunks: the values lie in one piece.</summary>
    None,

    /// <summary>A B-tree of version 1, as h5py writes by default.</summary>
    Tree,

    /// <summary>There is one chunk.</summary>
    Single,

    /// <summary>They lie one after another.</summary>
    Implicit,

    /// <summary>A list of as many entries as there are chunks.</summary>
    FixedArray,
}

/// <summary>Where and how a dataset of two dimensions is stored.</summary>
internal sealed record Hdf5Layout
{
    /// <summary>Of the only piece, or of the chunks' index.</summary>
    public ulong Address { get; init; }

    /// <summary>The values themselves, when they are in the header.</summary>
    public ReadOnlyMemory<byte> Inline { get; init; }

    public Hdf5IndexKind Index { get; init; }

    public int ChunkRows { get; init; }

    public int ChunkColumns { get; init; }

    /// <summary>A chunk, unpacked.</summary>
    public uint ChunkSizeBytes { get; init; }

    public int ChunksDown { get; init; }

    public int ChunksAcross { get; init; }

    public int ChunkCount => ChunksDown * ChunksAcross;

    public bool IsFiltered { get; init; }

    /// <summary>Stored size of the only chunk.</summary>
    public uint SingleSizeBytes { get; init; }

    public uint SingleSkippedFilters { get; init; }

    // In the file, with its entry in the index.
    private const int LeastChunkSizeBytes = 16;

    /// <summary>Takes a layout message apart.</summary>
    /// <param name="content">The message.</param>
    /// <param name="shape">Of the dataset, for messages.</param>
    /// <param name="isFiltered">Chunks go through filters.</param>
    public static Hdf5Layout Parse(ReadOnlyMemory<byte> content, Hdf5Shape shape, bool isFiltered)
    {
        var cursor = new Hdf5Cursor(content.Span);
        byte version = cursor.U8();
        if (version is not (3 or 4)) throw new InvalidDataException($"{shape.Name} has a layout of version {version}; expected 3 or 4");
        byte kind = cursor.U8();
        switch (kind)
        {
            case 0:
                int size = cursor.U16();
                return new Hdf5Layout { Inline = cursor.Take(size).ToArray() };
            case 1:
                return new Hdf5Layout { Address = cursor.U64() };
            case 2:
                return version == 3 ? Tree(cursor, shape, isFiltered) : Chunked(cursor, shape, isFiltered);
            default:
                throw new InvalidDataException($"{shape.Name} has its values in other files; give those files themselves, in this order");
        }
    }

    private static Hdf5Layout Tree(Hdf5Cursor cursor, Hdf5Shape shape, bool isFiltered)
    {
        CheckDimensions(cursor.U8(), shape);
        ulong address = cursor.U64();
        return Chunks(cursor.U32(), cursor.U32(), shape) with { Address = address, Index = Hdf5IndexKind.Tree, IsFiltered = isFiltered };
    }

    private static Hdf5Layout Chunked(Hdf5Cursor cursor, Hdf5Shape shape, bool isFiltered)
    {
        byte flags = cursor.U8();
        CheckDimensions(cursor.U8(), shape);
        int width = cursor.U8();
        var layout = Chunks(cursor.Unsigned(width), cursor.Unsigned(width), shape) with { IsFiltered = isFiltered };
        cursor.Skip(width);
        byte index = cursor.U8();
        layout = index switch
        {
            1 when (flags & 0x02) != 0 => layout with { Index = Hdf5IndexKind.Single, SingleSizeBytes = (uint)Math.Min(cursor.U64(), uint.MaxValue), SingleSkippedFilters = cursor.U32() },
            1 => layout with { Index = Hdf5IndexKind.Single, SingleSizeBytes = layout.ChunkSizeBytes },
            2 => layout with { Index = Hdf5IndexKind.Implicit },
            3 => layout with { Index = Hdf5IndexKind.FixedArray },
            _ => throw new InvalidDataException($"{shape.Name} is resizable and was written with libver='latest', for which there is no reader here; write it with h5py's default, as GenSLM does"),
        };
        if (index == 1 && layout.ChunkCount != 1) throw new InvalidDataException($"{shape.Name} has one chunk, but its shape needs {layout.ChunkCount}");
        if (index == 3) cursor.Skip(1);
        return layout with { Address = cursor.U64() };
    }

    private static void CheckDimensions(byte count, Hdf5Shape shape)
    {
        // The last one is the size of an element.
        if (count != 3) throw new InvalidDataException($"{shape.Name} has chunks of {count - 1} dimensions; expected 2");
    }

    private static Hdf5Layout Chunks(ulong rows, ulong columns, Hdf5Shape shape)
    {
        if (rows is < 1 or > int.MaxValue || columns is < 1 or > int.MaxValue)
            throw new InvalidDataException($"{shape.Name} is stored in chunks of [{rows} × {columns}]; expected at least 1 each way");
        ulong size = rows * columns * (uint)shape.ElementSizeBytes;
        ulong down = ((ulong)shape.Rows + rows - 1) / rows, across = ((ulong)shape.Columns + columns - 1) / columns;
        if (size > Hdf5Shape.LargestChunkSizeBytes || Math.Min(rows, (ulong)shape.Rows) * (ulong)shape.Columns > shape.LargestStrip)
            throw new InvalidDataException($"{shape.Name} is stored in chunks of [{rows} × {columns}]; expected at most {Hdf5Shape.LargestChunkSizeBytes:N0} bytes in one, and {shape.LargestStrip:N0} numbers in its rows");
        // Every chunk is stored and listed: more, or more when unpacked, than the file can hold is not to be believed.
        if (down * across > Math.Max(1, (ulong)shape.FileSizeBytes / LeastChunkSizeBytes) || (UInt128)(down * across) * size > shape.LargestSizeBytes)
            throw new InvalidDataException($"{shape.Name} is stored in {down * across} chunks of [{rows} × {columns}], more than fit a file of {shape.FileSizeBytes} bytes");
        return new Hdf5Layout { ChunkRows = (int)rows, ChunkColumns = (int)columns, ChunkSizeBytes = (uint)size, ChunksDown = (int)down, ChunksAcross = (int)across };
    }
}

/// <summary>A dataset's dimensions and elements.</summary>
/// <param name="Name">Of the dataset.</param>
/// <param name="Rows">Records.</param>
/// <param name="Columns">The block size.</param>
/// <param name="ElementSizeBytes">1, 2, 4 or 8.</param>
/// <param name="FileSizeBytes">Of the file, which bounds everything.</param>
internal readonly record struct Hdf5Shape(string Name, int Rows, int Columns, int ElementSizeBytes, long FileSizeBytes)
{
    // A deflate stream unpacks to at most 1,032 times its size.
    private const ulong LargestPackingRatio = 1032;
    private const long AnyStrip = 1 << 23;

    /// <summary>Of one chunk, unpacked: h5py's own choice is at most 1 MiB.</summary>
    public const ulong LargestChunkSizeBytes = 1 << 23;

    /// <summary>Of all values together.</summary>
    public UInt128 LargestSizeBytes => (UInt128)(ulong)FileSizeBytes * LargestPackingRatio;

    /// <summary>Numbers in the rows of one chunk, which are in memory at once: large files have tall chunks.</summary>
    public ulong LargestStrip => (ulong)Math.Min(1 << 30, Math.Max(AnyStrip, FileSizeBytes / 4));
}
