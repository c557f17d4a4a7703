using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>Recognises a weight file by its content.</summary>
internal static class WeightFileKind
{
    // In the order in which transformers looks for them, and the one that our own runs export.
    private static readonly string[] s_namesInFolder =
        ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "best_model_state_dict.pth"];

    public static WeightFile Open(string path)
    {
        if (Directory.Exists(path)) path = FindInFolder(path);
        return path.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase) ? ShardedWeights.Open(path) : OpenFile(path);
    }

    /// <summary>Opens a file that is not an index.</summary>
    public static WeightFile OpenFile(string path)
    {
        var start = ReadStart(path, out long length);
        if (start.StartsWith("PK\x03\x04"u8)) return TorchArchive.Open(path);
        if (LegacyTorchFile.IsOne(start)) return LegacyTorchFile.Open(path);
        if ((start.Length > 8 && start[8] == '{')
            || path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return SafetensorsFile.Open(path);
        throw new WeightFileException($"{path}: {Describe(start, length)}");
    }

    private static string FindInFolder(string folder)
    {
        foreach (var name in s_namesInFolder)
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path)) return path;
        }

        try
        {
            if (DeepSpeedCheckpoint.IsFolder(folder))
                throw new WeightFileException($"{folder}: {DeepSpeedCheckpoint.Sentence(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new WeightFileException($"{folder}: the folder cannot be read ({error.Message})", error);
        }

        throw new WeightFileException($"{folder}: the folder holds none of {string.Join(", ", s_namesInFolder)}; " +
            "name a weight file or a folder with one of these.");
    }

    private static ReadOnlySpan<byte> ReadStart(string path, out long length)
    {
        using var file = ContentFile.Open(path);
        length = file.Length;
        return file.ReadBlock(0, Math.Min(length, 64), 64, "the start");
    }

    private static string Describe(ReadOnlySpan<byte> start, long length)
    {
        const string Expected = "safetensors or a PyTorch file (.pt, .pth, .ckpt, .bin) is expected.";
        if (length == 0) return $"the file is empty; {Expected}";
        if (start[0] == 0x80) return $"the file is a bare pickle, not one that torch.save wrote; {Expected}";
        if (start.StartsWith("version https://git-lfs"u8)) return "the file is a Git LFS pointer, not the weights themselves; fetch them with git lfs pull.";
        start = start[..Math.Min(8, start.Length)];
        return $"the file starts with the bytes {Convert.ToHexStringLower(start)} ({MessageText.Quote(Encoding.Latin1.GetString(start))}); {Expected}";
    }
}
