using System.Globalization;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes tensors as torch.save does: an OrderedDict that torch.load reads, with <c>weights_only=True</c> too. The stream
/// stays open.
/// </summary>
public sealed class TorchArchiveWriter : WeightWriter
{
    private readonly Stream _stream;
    private readonly ZipStoreWriter _zip;
    private readonly string _folder;

    /// <summary>Writes everything that comes before the values.</summary>
    /// <param name="seekable">Written from where it stands; checksums are filled in by seeking back.</param>
    /// <param name="archiveName">The archive's top folder, by custom the file's name without its extension.</param>
    /// <param name="tensors">The tensors, in the order in which their values will come.</param>
    /// <exception cref="ArgumentException">
    /// The stream cannot seek, the name is not one folder's, two tensors have one name, or one is neither fp32, fp16 nor bf16.
    /// </exception>
    public TorchArchiveWriter(Stream seekable, string archiveName, IReadOnlyList<TensorDescription> tensors) : base(tensors)
    {
        if (archiveName.Length is 0 or > 1000 || archiveName.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
            throw new ArgumentException($"The archive's name is '{archiveName}'; the name of one folder is expected.", nameof(archiveName));
        _stream = seekable;
        _zip = new ZipStoreWriter(seekable);
        _folder = archiveName + "/";
        _zip.Add(_folder + "data.pkl", TorchPickleWriter.Write(tensors));
        _zip.Add(_folder + "byteorder", "little"u8);
    }

    private protected override void Begin(int tensor, long length) =>
        _zip.Begin($"{_folder}data/{tensor.ToString(CultureInfo.InvariantCulture)}", length);

    private protected override void Append(ReadOnlySpan<byte> elements) => _zip.Append(elements);

    private protected override void End() => _zip.End();

    private protected override void Finish()
    {
        _zip.Add(_folder + "version", "3\n"u8);
        _zip.Finish();
        _stream.Flush();
    }
}
