using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Thousands of damaged files, the same ones every time: each is read, or refused with a sentence, and nothing else.</summary>
public class MutationTests
{
    private const int Cases = 4000;

    [Fact]
    public void A_damaged_safetensors_file_is_read_or_refused()
    {
        var whole = Tensors.Safetensors(Tensors.Mixed, Tensors.Values(Tensors.Count(Tensors.Mixed)), new Dictionary<string, string> { ["a"] = "b" });
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        var data = whole[(8 + headerLength)..];
        Try("damaged.safetensors", random => random.Next(2) == 0
            ? Mutate(random, whole)
            : SafetensorsTests.Raw(MutateText(random, whole[8..(8 + headerLength)]), data), ReadAll);
    }

    [Fact]
    public void A_damaged_archive_is_read_or_refused()
    {
        var whole = Tensors.Archive("w", Tensors.Mixed, Tensors.Values(Tensors.Count(Tensors.Mixed)));
        var withZip64 = WithZip64End(whole);
        Try("damaged.pt", random => Mutate(random, random.Next(2) == 0 ? whole : withZip64), ReadAll);
    }

    [Fact]
    public void A_damaged_end_of_an_archive_is_read_or_refused()
    {
        var whole = WithZip64End(Tensors.Archive("w", Tensors.Mixed, Tensors.Values(Tensors.Count(Tensors.Mixed))));
        Try("damaged.pt", random => [.. whole[..^400], .. Mutate(random, whole[^400..])], ReadAll);
    }

    [Fact]
    public void A_damaged_pickle_in_a_sound_archive_is_read_or_refused()
    {
        var fixture = new TorchFixture().Op('}').Op('(').Text("epoch").Integer(1).Text("state_dict").OrderedDict().Op('(');
        var key = fixture.Storage(new byte[64]);
        fixture.Text("a").Tensor("FloatStorage", key, 16, 0, [16], [1]).Text("b").Tensor("FloatStorage", key, 16, 1, [3, 5], [1, 3]);
        fixture.Text("c").Tensor("HalfStorage", key, 32, 2, [2, 2, 2], [0, 1, 4]);
        var pickle = fixture.Op('u').Op('u').Op('.').Pickle;
        Try("damaged.pt", random => fixture.ToArchive(Mutate(random, pickle)), ReadAll);
    }

    [Fact]
    public void A_damaged_file_of_the_format_before_1_6_is_read_or_refused()
    {
        var whole = LegacyTorchFileTests.Small();
        Try("damaged.pth", random => Mutate(random, whole), ReadAll);
    }

    [Fact]
    public void A_damaged_configuration_is_read_or_refused()
    {
        var whole = Encoding.UTF8.GetBytes(ModelPresets.Find("tiny")!.ToJson());
        Try("config.json", random => random.Next(2) == 0 ? Mutate(random, whole) : MutateText(random, whole), path =>
        {
            var config = HuggingFaceConfig.Read(path);
            Assert.Empty(config.Validate());
            Assert.True(GptNeoXStateDict.ParameterCount(config with { LayerCount = Math.Min(config.LayerCount, 3) }) > 0);
        });
    }

    private static void Try(string name, Func<Random, byte[]> create, Action<string> read)
    {
        using var folder = new TemporaryFolder();
        int refused = 0;
        for (int seed = 0; seed < Cases; seed++)
        {
            var path = folder.File(name, create(new Random(seed)));
            var watch = Stopwatch.StartNew();
            try
            {
                read(path);
            }
            catch (WeightFileException error)
            {
                refused++;
                Assert.StartsWith(path, error.Message);
                Assert.InRange(error.Message.Length, path.Length + 20, path.Length + 1000);
            }
            catch (Exception error)
            {
                Assert.Fail($"Seed {seed}: {error}");
            }

            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"Seed {seed} took {watch.Elapsed}.");
        }

        // Both ends must be exercised, or the mutations are too mild or too wild to say anything.
        Assert.InRange(refused, Cases / 10, Cases - Cases / 100);
    }

    private static void ReadAll(string path)
    {
        using var file = WeightFile.Open(path);
        var values = new float[64];
        var integers = new long[64];
        for (int i = 0; i < file.Tensors.Count; i++)
        {
            var tensor = file.Tensors[i];
            int count = (int)Math.Min(tensor.ElementCount, values.Length);
            foreach (long first in (long[])[0, tensor.ElementCount - count])
            {
                if (tensor.ElementType is TensorElementType.Float32 or TensorElementType.Float16 or TensorElementType.BFloat16 or TensorElementType.Float64)
                    file.ReadFloat32(i, first, values.AsSpan(0, count));
                else
                    file.ReadInt64(i, first, integers.AsSpan(0, count));
            }
        }

        (file as TorchArchive)?.VerifyChecksums();
    }

    private static byte[] Mutate(Random random, byte[] whole)
    {
        var bytes = new List<byte>(whole);
        for (int changes = random.Next(1, 4); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = random.Next(bytes.Count), length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
                case 4: bytes.RemoveRange(at, random.Next(4) == 0 ? bytes.Count - at : length); break;
                case 5: Overwrite(bytes, at, Extreme(random)); break;
                default: Overwrite(bytes, at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
            }
        }

        return [.. bytes];
    }

    private static void Overwrite(List<byte> bytes, int at, IEnumerable<byte> content)
    {
        foreach (byte value in content)
        {
            if (at < bytes.Count) bytes[at++] = value;
        }
    }

    private static byte[] Extreme(Random random)
    {
        var bytes = new byte[random.Next(2) == 0 ? 4 : 8];
        ReadOnlySpan<ulong> extremes = [0, 1, 0x7f, 0xffff, int.MaxValue, 0x80000000, uint.MaxValue, long.MaxValue, 1UL << 63, ulong.MaxValue, 1UL << 62];
        ulong value = extremes[random.Next(extremes.Length)];
        for (int i = 0; i < bytes.Length; i++, value >>= 8) bytes[i] = (byte)value;
        return bytes;
    }

    // As PyTorch's own writer ends every archive: the Zip64 records always, whether they are needed or not.
    private static byte[] WithZip64End(byte[] archive)
    {
        var end = archive.AsSpan(archive.Length - 22);
        var records = new byte[56 + 20];
        "PK\x06\x06"u8.CopyTo(records);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(32), BinaryPrimitives.ReadUInt16LittleEndian(end[10..]));
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(40), BinaryPrimitives.ReadUInt32LittleEndian(end[12..]));
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(48), BinaryPrimitives.ReadUInt32LittleEndian(end[16..]));
        "PK\x06\x07"u8.CopyTo(records.AsSpan(56));
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(64), archive.Length - 22);
        records[72] = 1;
        return [.. archive[..^22], .. records, .. end];
    }

    // Replaces one token of JSON by another that is as well formed.
    private static byte[] MutateText(Random random, byte[] json)
    {
        string[] tokens = ["0", "-1", "1", "9223372036854775807", "1e308", "-0", "18446744073709551616", "\"F64\"", "\"\"", "null", "true", "[]", "[0,0]", "{}", "[1,1,1,1]", "2"];
        var text = Encoding.UTF8.GetString(json);
        var places = Regex.Matches(text, "\"[^\"]*\"|[0-9.e-]+|true|false|\\[[^\\]]*\\]", RegexOptions.NonBacktracking);
        var place = places[random.Next(places.Count)];
        return Encoding.UTF8.GetBytes(string.Concat(text.AsSpan(0, place.Index), tokens[random.Next(tokens.Length)], text.AsSpan(place.Index + place.Length)));
    }
}
