using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Some consecutive elements of a strided tensor, gathered from the file into row-major order: whole slices of one
/// dimension, as many as fit a few megabytes. A column-major matrix of any size is read in such windows, each with one
/// short read a column.
/// </summary>
internal sealed class StridedWindow
{
    private const int LargestWindow = 8 << 20;
    private const int LongestRead = 1 << 20;

    private readonly StoredTensor _tensor;
    private readonly ContentFile _file;
    private readonly byte[] _elements;
    private byte[] _piece = [];

    private StridedWindow(StoredTensor tensor, ContentFile file, long firstElement, long count)
    {
        _tensor = tensor;
        _file = file;
        FirstElement = firstElement;
        EndElement = firstElement + count;
        _elements = new byte[count * tensor.ElementSize];
    }

    public long FirstElement { get; }

    /// <summary>The element after the last.</summary>
    public long EndElement { get; }

    public bool Holds(StoredTensor tensor, long element) => ReferenceEquals(tensor, _tensor) && element >= FirstElement && element < EndElement;

    /// <summary>Raw elements from <paramref name="element"/> on; as many as the window has and the destination takes.</summary>
    public int Copy(long element, Span<byte> destination)
    {
        var held = _elements.AsSpan((int)((element - FirstElement) * _tensor.ElementSize));
        int count = Math.Min(held.Length, destination.Length);
        held[..count].CopyTo(destination);
        return count;
    }

    /// <summary>Reads the window that <paramref name="element"/> is in.</summary>
    public static StridedWindow Read(StoredTensor tensor, ContentFile file, long element)
    {
        // The outermost dimension of which at least one slice fits, and how many of them do.
        var shape = tensor.Shape;
        long most = LargestWindow / tensor.ElementSize, slice = 1;
        int dimension = shape.Length - 1;
        while (dimension > 0 && slice * shape[dimension] <= most) slice *= shape[dimension--];
        long slices = Math.Clamp(most / slice, 1, shape[dimension]);

        long offset = 0, outer = element / (slice * shape[dimension]), first = element / slice % shape[dimension] / slices * slices;
        long firstElement = (outer * shape[dimension] + first) * slice;
        for (int i = dimension - 1; i >= 0; i--)
        {
            (outer, long index) = Math.DivRem(outer, shape[i]);
            offset += index * tensor.Strides[i];
        }

        slices = Math.Min(slices, shape[dimension] - first);
        var window = new StridedWindow(tensor, file, firstElement, slices * slice);
        var axes = new List<Axis>();
        for (int i = shape.Length - 1, target = 1; i >= dimension; i--)
        {
            int size = (int)(i == dimension ? slices : shape[i]);
            if (size > 1) axes.Add(new Axis(size, tensor.Strides[i], target));
            target *= size;
        }

        // In the order of the file, so that each read takes in what is close together.
        axes.Sort((left, right) => right.FileStride.CompareTo(left.FileStride));
        window.Gather(CollectionsMarshal.AsSpan(axes), offset + first * tensor.Strides[dimension], 0);
        window._piece = [];
        return window;
    }

    private void Gather(ReadOnlySpan<Axis> axes, long source, int target)
    {
        long span = 1;
        foreach (var axis in axes) span += (axis.Size - 1) * axis.FileStride;
        if (span > LongestRead / _tensor.ElementSize)
        {
            // Only axes long in the file come here, and every one shortens the span: as deep as the tensor has dimensions.
            for (int i = 0; i < axes[0].Size; i++) Gather(axes[1..], source + i * axes[0].FileStride, target + i * axes[0].WindowStride);
            return;
        }

        int bytes = (int)span * _tensor.ElementSize;
        if (_piece.Length < bytes) _piece = new byte[bytes];
        _file.Read(_tensor.FileOffset + source * _tensor.ElementSize, _piece.AsSpan(0, bytes));
        switch (_tensor.ElementSize)
        {
            case 1: Scatter<byte>(axes, 0, target); break;
            case 2: Scatter<ushort>(axes, 0, target); break;
            case 4: Scatter<uint>(axes, 0, target); break;
            default: Scatter<ulong>(axes, 0, target); break;
        }
    }

    private void Scatter<T>(ReadOnlySpan<Axis> axes, int source, int target) where T : unmanaged
    {
        var from = MemoryMarshal.Cast<byte, T>(_piece);
        var to = MemoryMarshal.Cast<byte, T>(_elements.AsSpan());
        if (axes.IsEmpty)
        {
            to[target] = from[source];
            return;
        }

        var axis = axes[0];
        int stride = (int)axis.FileStride;
        if (axes.Length > 1)
        {
            for (int i = 0; i < axis.Size; i++) Scatter<T>(axes[1..], source + i * stride, target + i * axis.WindowStride);
            return;
        }

        for (int i = 0; i < axis.Size; i++, source += stride, target += axis.WindowStride) to[target] = from[source];
    }

    /// <summary>A dimension of the window: its size, and how far its neighbours are apart in the file and in the window, in elements.</summary>
    private readonly record struct Axis(int Size, long FileStride, int WindowStride);
}
