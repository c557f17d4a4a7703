namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>Where a chunk lies.</summary>
/// <param name="Address">Its first byte.</param>
/// <param name="SizeBytes">As it is stored; 0: it never was.</param>
/// <param name="SkippedFilters">A bit for each filter that it did not go through.</param>
internal readonly record struct Hdf5ChunkPlace(ulong Address, uint SizeBytes, uint SkippedFilters);

/// <summary>The chunks of a dataset of two dimensions, row after row of chunks.</summary>
internal sealed class Hdf5ChunkIndex
{
    private const ulong Undefined = ulong.MaxValue;
    private const int DeepestTree = 16;
    private readonly Hdf5Bytes _file;
    private readonly Hdf5Layout _layout;
    private readonly Hdf5ChunkPlace[] _places;

    private Hdf5ChunkIndex(Hdf5Bytes file, Hdf5Layout layout)
    {
        (_file, _layout) = (file, layout);
        _places = layout.Index == Hdf5IndexKind.Implicit ? [] : new Hdf5ChunkPlace[layout.ChunkCount];
    }

    /// <exception cref="InvalidDataException">The index is damaged or of a kind that only resizable datasets of <c>libver='latest'</c> have.</exception>
    public static Hdf5ChunkIndex Read(Hdf5Bytes file, Hdf5Layout layout)
    {
        var index = new Hdf5ChunkIndex(file, layout);
        if (layout.Address == Undefined) return index;
        switch (layout.Index)
        {
            case Hdf5IndexKind.Tree:
                index.AddTree(layout.Address, DeepestTree);
                break;
            case Hdf5IndexKind.Single:
                index.Put(0, new Hdf5ChunkPlace(layout.Address, layout.SingleSizeBytes, layout.SingleSkippedFilters));
                break;
            case Hdf5IndexKind.Implicit:
                file.Check(layout.Address, (long)layout.ChunkCount * layout.ChunkSizeBytes);
                break;
            default:
                index.AddFixedArray();
                break;
        }

        return index;
    }

    /// <summary>The place of the chunk in row <paramref name="row"/> and column <paramref name="column"/> of chunks.</summary>
    public Hdf5ChunkPlace this[int row, int column]
    {
        get
        {
            int chunk = (row * _layout.ChunksAcross) + column;
            if (_layout.Index != Hdf5IndexKind.Implicit) return _places[chunk];
            return _layout.Address == Undefined ? default : new Hdf5ChunkPlace(_layout.Address + ((ulong)chunk * _layout.ChunkSizeBytes), _layout.ChunkSizeBytes, 0);
        }
    }

    private void AddTree(ulong address, int depth)
    {
        // Stored size, skipped filters, offsets in rows, columns and the bytes of an element.
        var node = Hdf5TreeNode.Read(_file, address, kind: 1, keySizeBytes: 32, depth);
        for (int i = 0; i < node.Children.Length; i++)
        {
            if (node.Level > 0)
            {
                AddTree(node.Children[i], node.Level);
                continue;
            }

            var key = new Hdf5Cursor(node.Keys[i].Span);
            uint size = key.U32(), skipped = key.U32();
            ulong row = key.U64() / (uint)_layout.ChunkRows, column = key.U64() / (uint)_layout.ChunkColumns;
            // A resizable dataset that was made smaller may keep chunks outside of it.
            if (row >= (uint)_layout.ChunksDown || column >= (uint)_layout.ChunksAcross) continue;
            Put(((int)row * _layout.ChunksAcross) + (int)column, new Hdf5ChunkPlace(node.Children[i], size, skipped));
        }
    }

    private void AddFixedArray()
    {
        var head = new Hdf5Cursor(_file.Structure(_layout.Address, 28));
        head.Expect("FAHD"u8);
        head.Skip(2);
        int entrySize = head.U8(), pageBits = head.U8();
        ulong count = head.U64(), block = head.U64();
        int sizeBytes = _layout.IsFiltered ? entrySize - 12 : 0;
        if (count != (ulong)_places.Length || pageBits > 62 || (_layout.IsFiltered ? sizeBytes is < 1 or > 8 : entrySize != 8))
            throw new InvalidDataException($"an index has {count} entries of {entrySize} bytes for {_places.Length} chunks");
        if (block == Undefined) return;

        // FADB, version, client, address of the head; then pages with a checksum each behind a bitmap, or entries.
        const int BlockHeadSizeBytes = 14;
        new Hdf5Cursor(_file.Structure(block, BlockHeadSizeBytes)).Expect("FADB"u8);
        ulong place = block + BlockHeadSizeBytes;
        int page = (int)Math.Min(1L << pageBits, int.MaxValue);
        if (_places.Length <= page)
        {
            AddEntries(0, _places.Length, place, entrySize, sizeBytes);
            return;
        }

        int pages = (int)(((long)_places.Length + page - 1) / page);
        var bitmap = _file.Structure(place, (pages + 7) / 8);
        place += (ulong)bitmap.Length + 4;
        for (int i = 0; i < pages; i++)
        {
            int entries = (int)Math.Min(page, _places.Length - ((long)i * page));
            if ((bitmap[i / 8] & (0x80 >> (i % 8))) != 0) AddEntries(i * page, entries, place, entrySize, sizeBytes);
            place += ((ulong)page * (uint)entrySize) + 4;
        }
    }

    private void AddEntries(int first, int count, ulong address, int entrySize, int sizeBytes)
    {
        var entries = new Hdf5Cursor(_file.Structure(address, (long)count * entrySize));
        for (int i = 0; i < count; i++)
        {
            ulong chunk = entries.U64();
            ulong size = sizeBytes == 0 ? _layout.ChunkSizeBytes : entries.Unsigned(sizeBytes);
            uint skipped = sizeBytes == 0 ? 0 : entries.U32();
            if (chunk != Undefined) Put(first + i, new Hdf5ChunkPlace(chunk, (uint)Math.Min(size, uint.MaxValue), skipped));
        }
    }

    private void Put(int chunk, Hdf5ChunkPlace place)
    {
        _file.Check(place.Address, place.SizeBytes);
        _places[chunk] = place;
    }
}
