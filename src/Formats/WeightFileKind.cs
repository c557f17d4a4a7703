using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>Recognises a weight file by its content.</summary>
internal static class WeightFileKind
{
    private static readonly string[] s_namesInFolder = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"];

    public static WeightFile Open(string path)
    {
        if (Directory.Exists(path)) path = FindInFolder(path);
        var start = ReadStart(path, out long length);
        if (start.StartsWith("PK\x03\x04"u8)) return TorchArchive.Open(path);
        if (path.EndsWith(".safetensors.index.json", StringComparison.OrdinalIgnoreCase)) return ShardedSafetensors.Open(path);
        if ((start.Length > 8 && start[8] == '{')
            || path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return SafetensorsFile.Open(path);
        throw new WeightFileException($"{path}: {Describe(path, start, length)}");
    }

    private static string FindInFolder(string folder)
    {
        foreach (var name in s_namesInFolder)
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path)) return path;
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

    private static string Describe(string path, ReadOnlySpan<byte> start, long length)
    {
        const string Expected = "safetensors or a PyTorch archive (.pt, .pth, .ckpt, .bin) is expected.";
        if (length == 0) return $"the file is empty; {Expected}";
        // Two pickles in a row: the magic number 0x1950a86a20f9469cfc6c as LONG1, and the protocol version 1001.
        if (start.StartsWith((ReadOnlySpan<byte>)[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]))
        {
            return "the file has PyTorch's format from before 1.6, which is not read; convert it with: " +
                "python3 -c \"import sys, torch; torch.save(torch.load(sys.argv[1], map_location='cpu'), sys.argv[2])\" " +
                $"'{path}' '{Path.ChangeExtension(path, ".converted.pth")}'";
        }

        if (start[0] == 0x80) return $"the file is a bare pickle, not an archive that torch.save wrote; {Expected}";
        if (start.StartsWith("version https://git-lfs"u8)) return "the file is a Git LFS pointer, not the weights themselves; fetch them with git lfs pull.";
        start = start[..Math.Min(8, start.Length)];
        return $"the file starts with the bytes {Convert.ToHexStringLower(start)} ({MessageText.Quote(Encoding.Latin1.GetString(start))}); {Expected}";
    }
}
