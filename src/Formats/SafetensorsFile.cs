namespace GenSlmOrleans.Formats;

/// <summary>
/// A safetensors file, read strictly: header of at most 100 MB, UTF-8 JSON without duplicate keys, sizes that agree with
/// shapes, and no holes, overlaps or spare bytes.
/// </summary>
public sealed class SafetensorsFile : WeightFile
{
    private readonly ContentFile _file;
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(ContentFile file, SafetensorsHeader header) : base(file.Path, header.Tensors, header.Metadata)
    {
        _file = file;
        _header = header;
    }

    public override string FormatName => "safetensors";

    /// <exception cref="WeightFileException">The file is missing or not as the format demands.</exception>
    public static new SafetensorsFile Open(string path)
    {
        var file = ContentFile.Open(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    protected override void Dispose(bool disposing) => _file.Dispose();

    internal override void ReadElements(int tensor, long firstElement, Span<byte> destination) =>
        _file.Read(_header.Offsets[tensor] + firstElement * ElementConversion.SizeOf(_header.Tensors[tensor].ElementType), destination);
}
