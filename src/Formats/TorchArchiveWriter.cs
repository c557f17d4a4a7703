using System.Globalization;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes fp32 tensors as torch.save does, value by value, holding none of them: an OrderedDict that torch.load reads, with
/// <c>weights_only=True</c> too. The same tensors and values give the same bytes. The stream stays open.
/// </summary>
public sealed class TorchArchiveWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly ZipStoreWriter _zip;
    private readonly string _folder;
    private readonly IReadOnlyList<TensorDescription> _tensors;
    private readonly ExpectedValues _expected;
    private int _tensor;
    private long _remaining;

    /// <summary>Writes everything that comes before the values.</summary>
    /// <param name="seekable">Written from where it stands; checksums are filled in by seeking back.</param>
    /// <param name="archiveName">The archive's top folder, by custom the file's name without its extension.</param>
    /// <param name="tensors">The tensors, in the order in which their values will come; all fp32.</param>
    /// <exception cref="ArgumentException">
    /// The stream cannot seek, the name is not one folder's, two tensors have one name, or one is not fp32.
    /// </exception>
    public TorchArchiveWriter(Stream seekable, string archiveName, IReadOnlyList<TensorDescription> tensors)
    {
        if (archiveName.Length is 0 or > 1000 || archiveName.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
            throw new ArgumentException($"The archive's name is '{archiveName}'; the name of one folder is expected.", nameof(archiveName));
        _stream = seekable;
        _expected = new ExpectedValues(tensors);
        _zip = new ZipStoreWriter(seekable);
        _folder = archiveName + "/";
        _tensors = tensors;
        _zip.Add(_folder + "data.pkl", TorchPickleWriter.Write(tensors));
        _zip.Add(_folder + "byteorder", "little"u8);
        BeginTensor();
    }

    /// <summary>Appends values to the concatenation of all tensors; calls need not respect the tensors' boundaries.</summary>
    /// <exception cref="InvalidOperationException">There would be more values than the tensors have.</exception>
    public void Write(ReadOnlySpan<float> values)
    {
        _expected.Take(values.Length);
        while (!values.IsEmpty)
        {
            int count = (int)Math.Min(values.Length, _remaining);
            _zip.Append(MemoryMarshal.AsBytes(values[..count]));
            _remaining -= count;
            values = values[count..];
            if (_remaining > 0) continue;
            _zip.End();
            _tensor++;
            BeginTensor();
        }
    }

    /// <summary>Checks that all values have come, writes the archive's directory, and flushes the stream.</summary>
    /// <exception cref="InvalidOperationException">Values are missing.</exception>
    public void Complete()
    {
        _expected.CheckComplete();
        _zip.Add(_folder + "version", "3\n"u8);
        _zip.Finish();
        _stream.Flush();
    }

    /// <summary>Does nothing to the stream: a file that was not completed is for its owner to discard.</summary>
    public void Dispose()
    {
        // Nothing is held; the interface is there for symmetry with the readers and for what may come.
    }

    // Begins the next tensor that has values; those without are complete as they begin.
    private void BeginTensor()
    {
        for (; _tensor < _tensors.Count; _tensor++)
        {
            _remaining = _tensors[_tensor].ElementCount;
            _zip.Begin($"{_folder}data/{_tensor.ToString(CultureInfo.InvariantCulture)}", _remaining * sizeof(float));
            if (_remaining > 0) return;
            _zip.End();
        }
    }
}
