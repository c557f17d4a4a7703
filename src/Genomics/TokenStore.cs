using System.Collections.Immutable;
using System.IO.Hashing;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;

namespace GenSlmOrleans.Genomics;

/// <summary>All records of a run's data as tokens, one byte each, memory-mapped: opening it reads it once to check it, and holds none of it.</summary>
public sealed unsafe class TokenStore : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly TokenStoreLayout _layout;
    private readonly Lock _lengthsLock = new();
    private (int Limit, ImmutableArray<int> Lengths) _lengths;
    private byte* _start;

    private TokenStore(MemoryMappedFile file, MemoryMappedViewAccessor view, TokenStoreLayout layout)
    {
        (_file, _view, _layout) = (file, view, layout);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    /// <summary>All records, those of validation and test sets included.</summary>
    public int RecordCount => _layout.RecordCount;

    /// <summary>Which of them belong to which set.</summary>
    public RecordSets Sets => new(_layout.RecordCount - _layout.ValidationCount - _layout.TestCount, _layout.ValidationCount, _layout.TestCount);

    public long TokenCount => _layout.TokenCount;

    public long UnknownTokenCount => _layout.UnknownTokenCount;

    /// <summary>Gap characters in the sequences.</summary>
    public long GapCount => _layout.GapCount;

    /// <summary>Letters U or u in the sequences: many of them say that the file is RNA.</summary>
    public long UracilCount => _layout.UracilCount;

    /// <summary>Tokens of the longest record.</summary>
    public int MaximumLength => _layout.MaximumLength;

    /// <summary>XXH3-128, in hexadecimal, of the only file's bytes or of all files' hashes in their order: names the data wherever it lies.</summary>
    public string SourceHash => _layout.SourceHash.ToString("x32");

    // Reading what is no longer mapped would end the process, not throw.
    private byte* Mapped
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null, this);
            return _start;
        }
    }

    private ReadOnlySpan<long> TokenEnds => new(Mapped + _layout.TokenEndsOffset, RecordCount);

    private ReadOnlySpan<long> HeaderEnds => new(Mapped + _layout.HeaderEndsOffset, RecordCount);

    /// <summary>Opens a token store file.</summary>
    /// <exception cref="FastaException">It is not one, or it is damaged.</exception>
    public static TokenStore Open(string path)
    {
        using var stream = FastaReader.Open(path, "a token store");
        Span<byte> head = stackalloc byte[TokenStoreLayout.SizeBytes];
        int known = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        var layout = TokenStoreLayout.Read(head[..known], stream.Length)
            ?? throw new FastaException($"{path} is not a token store of this version, or it is cut off; delete it, and it will be built again.");
        // Of the stream, not the path: by now that may be another file.
        var file = MemoryMappedFile.CreateFromFile(stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        var store = new TokenStore(file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), layout);
        if (store.IsSound()) return store;
        store.Dispose();
        throw new FastaException($"{path} is damaged: its checksum does not match; delete it, and it will be built again.");
    }

    /// <summary>How many tokens a record has, untruncated.</summary>
    public int Length(int record) => (int)(TokenEnds[record] - Start(TokenEnds, record));

    /// <summary>
    /// How many tokens each record has, cut to <paramref name="limit"/>: 4 bytes a record, shared by all who ask with the same limit, and
    /// good when the store is disposed.
    /// </summary>
    public ImmutableArray<int> Lengths(int limit)
    {
        lock (_lengthsLock)
        {
            if (_lengths.Limit == limit && !_lengths.Lengths.IsDefault) return _lengths.Lengths;
            var lengths = new int[RecordCount];
            for (int record = 0; record < lengths.Length; record++) lengths[record] = Math.Min(limit, Length(record));
            _lengths = (limit, ImmutableCollectionsMarshal.AsImmutableArray(lengths));
            return _lengths.Lengths;
        }
    }

    /// <summary>A record's tokens, untruncated; good until the store is disposed.</summary>
    public ReadOnlySpan<byte> Tokens(int record) => new(Mapped + TokenStoreLayout.SizeBytes + Start(TokenEnds, record), Length(record));

    /// <summary>A record's header.</summary>
    public string Header(int record)
    {
        long start = Start(HeaderEnds, record);
        return Encoding.UTF8.GetString(Mapped + _layout.HeaderTextOffset + start, (int)(HeaderEnds[record] - start));
    }

    /// <summary>How many records have more than <paramref name="limit"/> tokens.</summary>
    public int RecordsLongerThan(int limit)
    {
        if (MaximumLength <= limit) return 0;
        int count = 0;
        for (int record = 0; record < RecordCount; record++)
            if (Length(record) > limit) count++;
        return count;
    }

    private static long Start(ReadOnlySpan<long> ends, int record) => record == 0 ? 0 : ends[record - 1];

    private bool IsSound()
    {
        var hash = new XxHash3();
        const int Piece = 1 << 30;
        for (long offset = TokenStoreLayout.SizeBytes; offset < _layout.FileSizeBytes; offset += Piece)
            hash.Append(new ReadOnlySpan<byte>(_start + offset, (int)Math.Min(Piece, _layout.FileSizeBytes - offset)));
        hash.Append(new ReadOnlySpan<byte>(_start, TokenStoreLayout.CheckedSizeBytes));
        return hash.GetCurrentHashAsUInt64() == _layout.Checksum
            && TokenEnds[^1] == TokenCount && HeaderEnds[^1] == _layout.HeaderTextSizeBytes && Rises(TokenEnds) && Rises(HeaderEnds);
    }

    private static bool Rises(ReadOnlySpan<long> ends)
    {
        long before = 0;
        foreach (long end in ends)
        {
            if (end < before) return false;
            before = end;
        }

        return true;
    }

    public void Dispose()
    {
        if (_start is null) return;
        _start = null;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
