using System.Globalization;

namespace GenSlmOrleans.Grains.Host;

/// <summary>Sizes of memory as people write them.</summary>
public static class MemorySize
{
    public const string Expected = "a number and a unit: 6GiB, 6144MiB or 6GB, as Kubernetes writes it 6Gi, or bytes without a unit";

    private const double MebiByte = 1 << 20;
    private const double GibiByte = 1 << 30;

    // The longer ones first: GiB ends with B, too.
    private static readonly (string Unit, double Bytes)[] Units =
    [
        ("KiB", 1 << 10), ("MiB", MebiByte), ("GiB", GibiByte), ("TiB", 1024 * GibiByte),
        ("Ki", 1 << 10), ("Mi", MebiByte), ("Gi", GibiByte), ("Ti", 1024 * GibiByte),
        ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ];

    /// <summary>Reads a size in bytes, at least 1.</summary>
    public static bool TryParse(string text, out long sizeBytes)
    {
        sizeBytes = 0;
        var (unit, bytes) = Units.FirstOrDefault(known => text.EndsWith(known.Unit, StringComparison.Ordinal), ("", 1));
        if (!double.TryParse(text.AsSpan(0, text.Length - unit.Length).Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)) return false;
        double size = Math.Floor(number * bytes);
        if (!(size >= 1 && size < 1L << 60)) return false;
        sizeBytes = (long)size;
        return true;
    }

    /// <summary>A size with three digits: 68.2 GiB, 512 MiB.</summary>
    public static string Text(long sizeBytes)
    {
        var (size, unit) = sizeBytes >= GibiByte ? (sizeBytes / GibiByte, "GiB") : (sizeBytes / MebiByte, "MiB");
        int decimals = size >= 99.95 || unit == "MiB" ? 0 : size >= 9.995 ? 1 : 2;
        return size.ToString($"F{decimals}", CultureInfo.InvariantCulture) + " " + unit;
    }
}
