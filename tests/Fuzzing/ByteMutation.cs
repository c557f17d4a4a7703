using System.Buffers.Binary;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Damage to bytes that knows nothing of their meaning.</summary>
public static class ByteMutation
{
    private const int LongestPiece = 64;
    private const int LongestGrowth = 1 << 21;

    /// <summary>Numbers at which sizes, counts and offsets go wrong.</summary>
    private static readonly ulong[] s_boundaries =
    [
        0, 1, 2, 3, 7, 8, 9, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff, 0x7fffffff, 0x80000000, 0xfffffffe, uint.MaxValue,
        1UL << 32, 1UL << 40, 1UL << 61, 1UL << 62, (1UL << 62) + 1, long.MaxValue - 1, long.MaxValue, 1UL << 63, ulong.MaxValue - 7, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    /// <summary>A few changes of any kind, and seldom one that makes the input long.</summary>
    public static byte[] Mutate(Random random, ReadOnlySpan<byte> whole)
    {
        var bytes = new List<byte>(whole.Length + LongestPiece);
        bytes.AddRange(whole);
        for (int changes = random.Next(1, 5); changes > 0 && bytes.Count > 0; changes--) Change(random, bytes);
        if (random.Next(2000) == 0) Grow(random, bytes);
        return [.. bytes];
    }

    /// <summary>The beginning of one and the end of the other.</summary>
    public static byte[] Splice(Random random, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) =>
        [.. first[..random.Next(first.Length + 1)], .. second[random.Next(second.Length + 1)..]];

    /// <summary>A boundary, or a number near one that is known: a length and one more or less.</summary>
    public static ulong Boundary(Random random, ulong near) => random.Next(4) switch
    {
        0 => unchecked(near + (ulong)random.Next(-2, 3)),
        1 => unchecked(near * 2),
        _ => s_boundaries[random.Next(s_boundaries.Length)],
    };

    private static void Change(Random random, List<byte> bytes)
    {
        int at = random.Next(bytes.Count), length = Math.Min(random.Next(1, LongestPiece), bytes.Count - at);
        switch (random.Next(10))
        {
            case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: bytes[at] = (byte)random.Next(256); break;
            case 2: bytes[at] = (byte)s_boundaries[random.Next(s_boundaries.Length)]; break;
            case 3: bytes.RemoveRange(at, length); break;
            case 4: bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
            case 5: bytes.InsertRange(at, Noise(random, length)); break;
            case 6: Overwrite(bytes, at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
            case 7:
                if (random.Next(3) == 0) bytes.RemoveRange(at, bytes.Count - at);
                else Swap(bytes, at, random.Next(bytes.Count), length);
                break;
            default: ReplaceNumber(random, bytes, at); break;
        }
    }

    // 16, 32 or 64 bits, usually little-endian; whatever is there is what the new number is near to.
    private static void ReplaceNumber(Random random, List<byte> bytes, int at)
    {
        int size = random.Next(5) switch { 0 => 2, 1 or 2 => 4, _ => 8 };
        if (bytes.Count < size) return;
        at = Math.Min(at, bytes.Count - size);
        var number = new byte[8];
        bytes.CopyTo(at, number, 0, size);
        ulong old = BinaryPrimitives.ReadUInt64LittleEndian(number);
        BinaryPrimitives.WriteUInt64LittleEndian(number, Boundary(random, random.Next(3) == 0 ? (ulong)bytes.Count : old));
        var part = number.AsSpan(0, size);
        if (random.Next(8) == 0) part.Reverse();
        for (int i = 0; i < size; i++) bytes[at + i] = part[i];
    }

    private static void Swap(List<byte> bytes, int left, int right, int length)
    {
        length = Math.Min(length, bytes.Count - Math.Max(left, right));
        for (int i = 0; i < length; i++) (bytes[left + i], bytes[right + i]) = (bytes[right + i], bytes[left + i]);
    }

    private static void Overwrite(List<byte> bytes, int at, List<byte> content)
    {
        for (int i = 0; i < content.Count && at + i < bytes.Count; i++) bytes[at + i] = content[i];
    }

    private static byte[] Noise(Random random, int length)
    {
        var noise = new byte[length];
        random.NextBytes(noise);
        return noise;
    }

    // One piece, very often.
    private static void Grow(Random random, List<byte> bytes)
    {
        if (bytes.Count == 0) return;
        int at = random.Next(bytes.Count), length = Math.Min(random.Next(1, LongestPiece), bytes.Count - at);
        var piece = bytes.GetRange(at, length);
        var grown = new List<byte>(LongestGrowth);
        for (int size = random.Next(LongestGrowth); grown.Count < size;) grown.AddRange(piece);
        bytes.InsertRange(at, grown);
    }
}
