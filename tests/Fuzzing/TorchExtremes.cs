using System.Buffers.Binary;
using System.Text;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Pickles and archives that cost as much memory or time as the limits leave them.</summary>
internal static class TorchExtremes
{
    private const int Many = 4_000_000;

    /// <summary>Pickles, by what they do.</summary>
    public static IEnumerable<(string Name, Func<byte[]> Create)> Pickles =>
    [
        ("many Nones", () => Repeat("N"u8, Many)),
        ("many tuples", () => Repeat(")"u8, Many)),
        ("many dictionaries", () => Repeat("}"u8, Many)),
        ("many marks and tuples", () => Repeat("(t"u8, Many)),
        ("tuples of tuples", () => [(byte)'N', .. Repeat([(byte)'2', 0x86], Many)[2..]]),
        ("many remembered values", () => Remembered(400_000)),
        ("a list that grows", () => Repeat("Na"u8, Many, "]"u8)),
        ("a list that takes all values of a group, often", () => Repeat([(byte)'(', .. Enumerable.Repeat((byte)'N', 60), (byte)'e'], 100_000, "]"u8)),
        ("long texts", () => Repeat([(byte)'X', 255, 255, 0, 0, .. Enumerable.Repeat((byte)'x', 65535)], 900)),
        ("long names", () => Repeat(Encoding.ASCII.GetBytes($"c{new string('a', 990)}\n{new string('b', 990)}\n"), 30_000)),
        ("calls", () => Repeat([.. "cos\nsystem\n"u8, (byte)')', (byte)'R'], 500_000)),
        ("one tensor under one name, often", () => SharedTensor(2_000_000, distinct: false)),
        ("one tensor under many names", () => SharedTensor(500_000, distinct: true)),
        ("plain values beside the tensors", PlainValues),
        ("long numbers", () => Repeat([0x8a, 16, .. Enumerable.Repeat((byte)255, 16)], 1_000_000)),
    ];

    /// <summary>Archives, by what they do.</summary>
    public static IEnumerable<(string Name, Func<byte[]> Create)> Archives =>
    [
        ("200,000 entries", () => ZipMutation.Write([.. Enumerable.Range(0, 200_000).Select(i => ($"a/data/{i}", Array.Empty<byte>()))], zip64: true)),
        ("entries with long names", () => ZipMutation.Write([.. Enumerable.Range(0, 500).Select(i => ($"{i}{new string('n', 65_000)}", Array.Empty<byte>()))], zip64: true)),
        ("a directory that is all names", () => DirectoryOfNames(480, 65_000)),
        ("entries with many slashes", () => ZipMutation.Write([.. Enumerable.Range(0, 200).Select(i => ($"{i}{new string('/', 65_000)}", Array.Empty<byte>()))], zip64: true)),
    ];

    // All entries share one local header, so that the file is its directory and nothing else.
    private static byte[] DirectoryOfNames(int count, int length)
    {
        var one = ZipMutation.Write([("a", [])], zip64: false);
        const int LocalLength = 31, CentralLength = 46;
        var archive = new MemoryStream();
        archive.Write(one.AsSpan(0, LocalLength));
        for (int i = 0; i < count; i++)
        {
            var entry = new byte[CentralLength + length];
            one.AsSpan(LocalLength, CentralLength).CopyTo(entry);
            BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(28), (ushort)length);
            entry.AsSpan(CentralLength).Fill((byte)'n');
            Encoding.ASCII.GetBytes($"{i}").CopyTo(entry.AsSpan(CentralLength));
            archive.Write(entry);
        }

        var end = one.AsSpan(one.Length - 22).ToArray();
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)count);
        BinaryPrimitives.WriteInt32LittleEndian(end.AsSpan(12), (int)archive.Length - LocalLength);
        archive.Write(end);
        return archive.ToArray();
    }

    private static byte[] Repeat(ReadOnlySpan<byte> piece, int times, ReadOnlySpan<byte> before = default)
    {
        var pickle = new byte[2 + before.Length + piece.Length * times];
        (pickle[0], pickle[1]) = (0x80, 2);
        before.CopyTo(pickle.AsSpan(2));
        for (int i = 0; i < times; i++) piece.CopyTo(pickle.AsSpan(2 + before.Length + i * piece.Length));
        return pickle;
    }

    private static byte[] Remembered(int count)
    {
        var pickle = Repeat("N\0\0\0\0\0"u8, count);
        for (int i = 0; i < count; i++)
        {
            var instruction = pickle.AsSpan(2 + i * 6 + 1);
            instruction[0] = (byte)'r';
            BinaryPrimitives.WriteInt32LittleEndian(instruction[1..], i * 7919);
        }

        return pickle;
    }

    private static byte[] SharedTensor(int count, bool distinct)
    {
        var pickle = new MemoryStream();
        pickle.Write(new TorchFixture().Text("a").Op('q').Bytes(0).Op('0').Tensor("FloatStorage", "2", 0, 0, [0], [1]).Op('q').Bytes(1).Op('0').Op('}').Op('(').Pickle);
        for (int i = 0; i < count; i++)
        {
            if (!distinct) pickle.Write("h\0h\x01"u8);
            else pickle.Write([0x8c, 4, (byte)(i % 90 + 33), (byte)(i / 90 % 90 + 33), (byte)(i / 8100 % 90 + 33), (byte)'x', (byte)'h', 1]);
        }

        pickle.Write("u."u8);
        return pickle.ToArray();
    }

    private static byte[] PlainValues()
    {
        var pickle = new MemoryStream();
        pickle.Write(new TorchFixture().Op('}').Op('(').Text("state_dict").Op('}').Pickle);
        for (int i = 0; i < 200_000; i++) pickle.Write([0x8c, 4, (byte)(i % 90 + 33), (byte)(i / 90 % 90 + 33), (byte)(i / 8100 % 90 + 33), (byte)'x', (byte)'J', 255, 255, 255, 127]);
        pickle.Write("u."u8);
        return pickle.ToArray();
    }
}
