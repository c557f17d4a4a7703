using System.Buffers.Binary;
using System.Text;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class SafetensorsTests
{
    [Fact]
    public void What_is_written_is_read_back_to_the_bit_with_its_metadata()
    {
        using var folder = new TemporaryFolder();
        var values = Tensors.Values(Tensors.Count(Tensors.Mixed));
        var metadata = new Dictionary<string, string> { ["step"] = "12", ["note"] = "ä\n\"" };
        var bytes = Tensors.Safetensors(Tensors.Mixed, values, metadata);

        using var file = WeightFile.Open(folder.File("model.safetensors", bytes));

        Assert.Equal(Tensors.Mixed, file.Tensors);
        Assert.Equal(metadata, file.Metadata);
        Tensors.EqualBits(values, [.. Enumerable.Range(0, file.Tensors.Count).SelectMany(file.Read)], "all tensors");
        Assert.Equal(bytes, Tensors.Safetensors(Tensors.Mixed, values, metadata.Reverse().ToDictionary()));
    }

    [Fact]
    public void The_data_starts_at_a_multiple_of_eight_after_spaces()
    {
        for (int length = 1; length <= 8; length++)
        {
            var bytes = Tensors.Safetensors([Tensors.Float(new string('n', length), 1)], [1f]);
            long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
            Assert.Equal(0, (8 + header) % 8);
            Assert.Equal(8 + header + 4, bytes.Length);
            Assert.EndsWith("}", Encoding.UTF8.GetString(bytes, 8, (int)header).TrimEnd(' '));
        }
    }

    [Fact]
    public void Too_many_or_too_few_values_are_errors()
    {
        using var writer = new SafetensorsWriter(new MemoryStream(), [Tensors.Float("a", 3)]);
        writer.Write([1, 2]);
        Assert.Throws<InvalidOperationException>(writer.Complete);
        Assert.Throws<InvalidOperationException>(() => writer.Write([3, 4]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(new MemoryStream(), [Tensors.Float("a", 3), Tensors.Float("a", 3)]));
    }

    [Fact]
    public void Every_floating_type_becomes_fp32()
    {
        using var folder = new TemporaryFolder();
        var data = new byte[2 + 2 + 8 + 8];
        BinaryPrimitives.WriteHalfLittleEndian(data, (Half)1.5f);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(2), 0xc049);
        BinaryPrimitives.WriteDoubleLittleEndian(data.AsSpan(4), 0.1);
        BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(12), -7);
        var path = folder.File("types.safetensors", Raw(
            """{"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"BF16","shape":[],"data_offsets":[2,4]},""" +
            """ "d":{"dtype":"F64","shape":[1,1],"data_offsets":[4,12]},"i":{"dtype":"I64","shape":[1],"data_offsets":[12,20]}}""", data));

        using var file = WeightFile.Open(path);

        Assert.Equal([1.5f], file.Read("h"));
        Assert.Equal([-3.140625f], file.Read("b"));
        Assert.Equal([0.1f], file.Read("d"));
        var integers = new long[1];
        file.ReadInt64(file.IndexOf("i"), 0, integers);
        Assert.Equal([-7], integers);
        Assert.Throws<WeightFileException>(() => file.Read("i"));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ReadFloat32(0, 1, new float[1]));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "12 bytes of data")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "holes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "12 bytes of F32")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}""", 8, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}""", 8, "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", 8, "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}""", 8, "18446744073709551616 bytes")]
    [InlineData("""{"a":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}}""", 8, "'F8'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}""", 8, "'a' twice")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "'dtype' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}""", 8, "'more'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "64-bit integers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", 8, "lacks")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "a string is expected")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}""", 0, "not valid JSON")]
    [InlineData("""{} x""", 0, "not valid JSON")]
    [InlineData("""{"a":""", 0, "not valid JSON")]
    [InlineData("[]", 0, "does not start with '{'")]
    public void A_header_that_does_not_fit_its_data_is_refused_with_a_sentence(string header, int dataLength, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.safetensors", Raw(header, new byte[dataLength]));
        var error = Assert.Throws<WeightFileException>(() => WeightFile.Open(path));
        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Fact]
    public void A_header_length_beyond_the_file_allocates_nothing()
    {
        using var folder = new TemporaryFolder();
        foreach (ulong length in (ulong[])[99_000_000, 100_000_001, 1UL << 62, ulong.MaxValue])
        {
            var bytes = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
            bytes[8] = (byte)'{';
            var path = folder.File("long.safetensors", bytes);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<WeightFileException>(() => WeightFile.Open(path));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Fact]
    public void A_sharded_model_is_one_file_and_an_index_must_agree_with_its_shards()
    {
        using var folder = new TemporaryFolder();
        folder.File("model-00001-of-00002.safetensors", Tensors.Safetensors([Tensors.Float("a", 2)], [1, 2]));
        folder.File("model-00002-of-00002.safetensors", Tensors.Safetensors([Tensors.Float("b", 1)], [3]));
        void Index(string map) => folder.File("model.safetensors.index.json", Encoding.UTF8.GetBytes($$"""{"metadata":{"total_size":12},"weight_map":{{map}}}"""));

        Index("""{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}""");
        using (var file = WeightFile.Open(folder.Path))
        {
            Assert.Equal([1, 2], file.Read("a"));
            Assert.Equal([3], file.Read("b"));
        }

        Index("""{"a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors"}""");
        Assert.Contains("'b'", Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.Path)).Message);
        Index("""{"b":"model-00002-of-00002.safetensors","a":"model-00003-of-00002.safetensors"}""");
        Assert.Contains("no such file", Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.Path)).Message);
        Index("""{"a":"../a.safetensors"}""");
        Assert.Contains("same folder", Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.Path)).Message);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS")]
    [InlineData("<!DOCTYPE html>", "'<!DOCTYP'")]
    public void Files_of_other_kinds_are_named_for_what_they_are(string content, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("weights.pt", Encoding.UTF8.GetBytes(content));
        Assert.Contains(reason, Assert.Throws<WeightFileException>(() => WeightFile.Open(path)).Message);
        Assert.Contains("holds none of", Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.Path)).Message);
        Assert.Contains("no such file", Assert.Throws<WeightFileException>(() => WeightFile.Open(path + "x")).Message);
    }

    internal static byte[] Raw(string header, ReadOnlySpan<byte> data) => Raw(Encoding.UTF8.GetBytes(header), data);

    internal static byte[] Raw(byte[] header, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        data.CopyTo(bytes.AsSpan(8 + header.Length));
        return bytes;
    }
}
