using System.Runtime.InteropServices;
using PureHDF;
using PureHDF.Selections;
using PureHDF.VOL.Native;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>A dataset of two dimensions and whole numbers, one row a record, read a strip of rows at a time.</summary>
internal sealed class Hdf5Matrix
{
    // A deflate stream unpacks to at most 1,032 times its size.
    private const int LargestPackingRatio = 1032;
    private const long LargestRowsSizeBytes = 1 << 24;
    private const long LargestChunkSizeBytes = 1 << 24;
    private const int LongestRow = 1 << 20;

    private readonly NativeDataset _dataset;
    private readonly string _name;
    private readonly int _elementSizeBytes;
    private readonly int _chunkColumns;
    private byte[] _raw = [];

    private Hdf5Matrix(NativeDataset dataset, string name, int rows, int columns, int elementSizeBytes, int chunkRows, int chunkColumns)
    {
        (_dataset, _name, Rows, Columns, _elementSizeBytes, ChunkRows, _chunkColumns) = (dataset, name, rows, columns, elementSizeBytes, chunkRows, chunkColumns);
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Rows that are stored together: strips that begin and end with them are read fastest.</summary>
    public int ChunkRows { get; }

    /// <summary>Looks at a dataset and refuses one that the file cannot hold, before anything is allocated for it.</summary>
    /// <exception cref="InvalidDataException">It is missing, of another shape or kind, or larger than the file can hold.</exception>
    public static Hdf5Matrix Open(NativeFile file, string name, long fileSizeBytes)
    {
        if (!file.LinkExists(name) || file.Get(name) is not NativeDataset dataset)
            throw new InvalidDataException($"it has no dataset {name}; GenSLM's have input_ids and attention_mask, [records × block size] each");
        if (dataset.Space.Dimensions is not [>= 1 and <= int.MaxValue and var rows, >= 1 and <= LongestRow and var columns])
            throw new InvalidDataException($"{name} has the shape [{string.Join(" × ", dataset.Space.Dimensions)}]; expected [records × block size], a block of at most {LongestRow:N0}");
        int element = dataset.Type.Size;
        if (dataset.Type.Class != H5DataTypeClass.FixedPoint || element is not (1 or 2 or 4 or 8))
            throw new InvalidDataException($"{name} has elements of kind {dataset.Type.Class} and {element} bytes; expected whole numbers of 1, 2, 4 or 8 bytes");
        var (chunkRows, chunkColumns) = Chunks(dataset, name, rows, columns, element, fileSizeBytes);
        return new Hdf5Matrix(dataset, name, (int)rows, (int)columns, element, chunkRows, chunkColumns);
    }

    /// <summary>Reads <paramref name="count"/> rows from <paramref name="first"/>, one byte a number: [count × Columns].</summary>
    /// <exception cref="InvalidDataException">A number is below 0 or above 255; the message names its place.</exception>
    public void Read(int first, int count, Span<byte> destination)
    {
        long chunkSize = (long)ChunkRows * _chunkColumns * _elementSizeBytes;
        int step = _chunkColumns * (int)Math.Max(1, LargestRowsSizeBytes / chunkSize);
        for (int column = 0; column < Columns; column += step)
        {
            int width = Math.Min(step, Columns - column);
            int size = checked(count * width * _elementSizeBytes);
            if (_raw.Length < size) _raw = new byte[size];
            var raw = _raw.AsSpan(0, size);
            // What PureHDF leaves unwritten must not pass for data.
            raw.Fill(byte.MaxValue);
            int slots = ((width + _chunkColumns - 1) / _chunkColumns) + 1;
            var access = new H5DatasetAccess(ChunkCache: new SimpleReadingChunkCache(slots, (ulong)(slots * chunkSize)));
            _dataset.Read(access, raw, new HyperslabSelection(2, [(ulong)first, (ulong)column], [(ulong)count, (ulong)width]));
            for (int row = 0; row < count; row++)
                Narrow(raw.Slice(row * width * _elementSizeBytes, width * _elementSizeBytes), destination.Slice((row * Columns) + column, width), first + row, column);
        }
    }

    private static (int Rows, int Columns) Chunks(NativeDataset dataset, string name, ulong rows, ulong columns, int element, long fileSizeBytes)
    {
        bool chunked = dataset.Layout.Class == H5DataLayoutClass.Chunked;
        if (!chunked && dataset.Layout.Class is not (H5DataLayoutClass.Contiguous or H5DataLayoutClass.Compact))
            throw new InvalidDataException($"{name} has its values in other files; give those files themselves, in this order");
        decimal size = (decimal)rows * columns * (ulong)element;
        if (size > (decimal)fileSizeBytes * (chunked ? LargestPackingRatio : 1))
            throw new InvalidDataException($"{name} says that it has {size:F0} bytes, more than a file of {fileSizeBytes} bytes can hold");
        if (!chunked) return ((int)Math.Min(rows, (ulong)Math.Max(1, LargestChunkSizeBytes / ((long)columns * element))), (int)columns);

        if (dataset.Layout.Chunks is not [>= 1 and <= int.MaxValue and var chunkRows, >= 1 and <= int.MaxValue and var chunkColumns])
            throw new InvalidDataException($"{name} is stored in chunks of [{string.Join(" × ", dataset.Layout.Chunks)}]; expected two dimensions of at least 1");
        decimal limit = Math.Max(LargestChunkSizeBytes, fileSizeBytes);
        if ((decimal)chunkRows * chunkColumns * (ulong)element > limit || (decimal)Math.Min(rows, chunkRows) * columns > limit)
            throw new InvalidDataException($"{name} is stored in chunks of [{chunkRows} × {chunkColumns}]; expected at most {limit:F0} bytes a chunk, and as many numbers in the rows of one");
        decimal chunks = Math.Ceiling((decimal)rows / chunkRows) * Math.Ceiling((decimal)columns / chunkColumns);
        if (chunks > fileSizeBytes) throw new InvalidDataException($"{name} says that it has {chunks:F0} chunks, more than a file of {fileSizeBytes} bytes can hold");
        return ((int)chunkRows, (int)chunkColumns);
    }

    private void Narrow(ReadOnlySpan<byte> raw, Span<byte> destination, int row, int column)
    {
        switch (_elementSizeBytes)
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
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        var largest = T.CreateTruncating(byte.MaxValue);
        for (int i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] > largest) throw new InvalidDataException($"{_name}[{row}, {column + i}] is {numbers[i]} or negative; expected a number from 0 to {byte.MaxValue}");
            destination[i] = byte.CreateTruncating(numbers[i]);
        }
    }
}
