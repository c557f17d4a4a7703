using System.Numerics;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>A dataset of two dimensions and whole numbers, one row a record. Holds the rows that are stored together.</summary>
internal sealed class Hdf5Matrix
{
    private const int LongestRow = 1 << 20;
    private const int PieceSizeBytes = 1 << 20;

    private readonly Hdf5Bytes _file;
    private readonly Hdf5Shape _shape;
    private readonly Hdf5Layout _layout;
    private readonly Hdf5Filters _filters;
    private readonly Hdf5ChunkIndex? _chunks;
    private readonly byte[] _strip;
    private readonly int _stripRows;
    private int _first = -1;

    private Hdf5Matrix(Hdf5Bytes file, Hdf5Shape shape, Hdf5Layout layout, Hdf5Filters filters)
    {
        (_file, _shape, _layout, _filters) = (file, shape, layout, filters);
        if (layout.Index != Hdf5IndexKind.None) _chunks = Hdf5ChunkIndex.Read(file, layout);
        _stripRows = Math.Min(shape.Rows, _chunks is null ? Math.Max(1, PieceSizeBytes / (shape.Columns * shape.ElementSizeBytes)) : layout.ChunkRows);
        _strip = new byte[_stripRows * shape.Columns];
    }

    public int Rows => _shape.Rows;

    public int Columns => _shape.Columns;

    /// <summary>Looks at a dataset and refuses one that the file cannot hold, before anything is allocated for it.</summary>
    /// <exception cref="InvalidDataException">It is missing, damaged, of another shape or kind, or larger than the file can hold.</exception>
    public static Hdf5Matrix Open(Hdf5Bytes file, Hdf5RootGroup root, string name)
    {
        var messages = root.Open(name);
        ReadOnlyMemory<byte> Find(Hdf5MessageKind kind)
        {
            var found = messages.Find(message => message.Kind == kind);
            if (found.IsShared) throw new InvalidDataException($"{name} shares its {kind} with other datasets; expected one of its own");
            return found.Content;
        }

        if (messages.Exists(message => message.Kind == Hdf5MessageKind.ExternalFiles)) throw new InvalidDataException($"{name} has its values in other files; give those files themselves, in this order");
        if (Find(Hdf5MessageKind.Layout).IsEmpty) throw new InvalidDataException($"{name} is no dataset");
        var shape = Shape(name, Find(Hdf5MessageKind.Dataspace).Span, ElementSize(name, Find(Hdf5MessageKind.Datatype).Span), file.Length);
        var filters = Find(Hdf5MessageKind.Filters) is { IsEmpty: false } pipeline ? Hdf5Filters.Parse(pipeline.Span, name) : Hdf5Filters.None;
        var layout = Hdf5Layout.Parse(Find(Hdf5MessageKind.Layout), shape, filters.Any);
        long size = (long)shape.Rows * shape.Columns * shape.ElementSizeBytes;
        if (layout.Index == Hdf5IndexKind.None && layout.Inline.IsEmpty) file.Check(layout.Address, size);
        if (!layout.Inline.IsEmpty && layout.Inline.Length != size) throw new InvalidDataException($"{name} has {layout.Inline.Length} bytes; its shape needs {size}");
        return new Hdf5Matrix(file, shape, layout, filters);
    }

    /// <summary>A row, one byte a number; fastest in order. Good until the next.</summary>
    /// <exception cref="InvalidDataException">A number is below 0 or above 255, the message names its place; or the data are damaged.</exception>
    public ReadOnlyMemory<byte> Row(int row)
    {
        int first = row - (row % _stripRows);
        if (first != _first)
        {
            _first = -1;
            Read(first, Math.Min(_stripRows, Rows - first), _strip);
            _first = first;
        }

        return _strip.AsMemory((row - first) * Columns, Columns);
    }

    private void Read(int first, int count, Span<byte> destination)
    {
        if (_chunks is null)
        {
            int rowSize = Columns * _shape.ElementSizeBytes;
            var raw = new byte[count * rowSize];
            if (_layout.Inline.IsEmpty) _file.Read(_layout.Address + ((ulong)first * (uint)rowSize), raw);
            else _layout.Inline.Span.Slice(first * rowSize, raw.Length).CopyTo(raw);
            for (int row = 0; row < count; row++) Narrow(raw.AsSpan(row * rowSize, rowSize), destination.Slice(row * Columns, Columns), first + row, 0);
            return;
        }

        for (int across = 0; across < _layout.ChunksAcross; across++)
        {
            var chunk = Chunk(first / _layout.ChunkRows, across);
            int column = across * _layout.ChunkColumns, width = Math.Min(_layout.ChunkColumns, Columns - column), rowSize = _layout.ChunkColumns * _shape.ElementSizeBytes;
            for (int row = 0; row < count; row++)
                Narrow(chunk.AsSpan(row * rowSize, width * _shape.ElementSizeBytes), destination.Slice((row * Columns) + column, width), first + row, column);
        }
    }

    private byte[] Chunk(int down, int across)
    {
        var place = _chunks![down, across];
        if (place.SizeBytes == 0) throw new InvalidDataException($"{_shape.Name} lacks the values from [{down * _layout.ChunkRows}, {across * _layout.ChunkColumns}] on: they were never written");
        // What does not become smaller is stored as it is, or a little larger.
        if (place.SizeBytes > _layout.ChunkSizeBytes + (_layout.ChunkSizeBytes / 100) + 1024) throw new InvalidDataException($"a chunk of {_layout.ChunkSizeBytes} bytes is stored in {place.SizeBytes}");
        var stored = new byte[place.SizeBytes];
        _file.Read(place.Address, stored);
        return _filters.Undo(stored, place.SkippedFilters, (int)_layout.ChunkSizeBytes);
    }

    private static int ElementSize(string name, ReadOnlySpan<byte> content)
    {
        var cursor = new Hdf5Cursor(content);
        int kind = cursor.U8() & 0x0f;
        bool bigEndian = (cursor.U8() & 1) != 0;
        cursor.Skip(2);
        uint size = cursor.U32();
        return kind == 0 && !bigEndian && size is 1 or 2 or 4 or 8
            ? (int)size
            : throw new InvalidDataException($"{name} has elements of class {kind}{(bigEndian ? ", big-endian," : "")} and {size} bytes; expected whole numbers (class 0), little-endian, of 1, 2, 4 or 8 bytes");
    }

    private static Hdf5Shape Shape(string name, ReadOnlySpan<byte> content, int element, long fileSizeBytes)
    {
        var cursor = new Hdf5Cursor(content);
        byte version = cursor.U8(), rank = cursor.U8();
        cursor.Skip(version == 1 ? 6 : 2);
        var dimensions = new ulong[Math.Min((int)rank, 32)];
        for (int i = 0; i < dimensions.Length; i++) dimensions[i] = cursor.U64();
        if (dimensions is not [>= 1 and <= int.MaxValue and var rows, >= 1 and <= LongestRow and var columns])
            throw new InvalidDataException($"{name} has the shape [{string.Join(" × ", dimensions)}]; expected [records × block size], a block of at most {LongestRow:N0}");
        var shape = new Hdf5Shape(name, (int)rows, (int)columns, element, fileSizeBytes);
        if ((UInt128)(rows * columns * (uint)element) > shape.LargestSizeBytes)
            throw new InvalidDataException($"{name} says that it has {rows * columns * (uint)element} bytes, more than a file of {fileSizeBytes} bytes can hold");
        return shape;
    }

    private void Narrow(ReadOnlySpan<byte> raw, Span<byte> destination, int row, int column)
    {
        switch (_shape.ElementSizeBytes)
        {
            case 1:
                raw.CopyTo(destination);
                break;
            case 2:
                Narrow(MemoryMarshal.Cast<byte, ushort>(raw), destination, row, column);
                break;
            case 4:
                Narrow(MemoryMarshal.Cast<byte, uint>(raw), destination, row, column);
                break;
            default:
                Narrow(MemoryMarshal.Cast<byte, ulong>(raw), destination, row, column);
                break;
        }
    }

    private void Narrow<T>(ReadOnlySpan<T> numbers, Span<byte> destination, int row, int column)
        where T : unmanaged, IBinaryInteger<T>
    {
        var largest = T.CreateTruncating(byte.MaxValue);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] > largest) throw new InvalidDataException($"{_shape.Name}[{row}, {column + i}] is {numbers[i]}, or below 0; expected a number from 0 to {byte.MaxValue}");
            destination[i] = byte.CreateTruncating(numbers[i]);
        }
    }
}
