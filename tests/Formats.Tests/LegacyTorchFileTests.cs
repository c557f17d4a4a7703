using System.Globalization;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;
using static GenSlmOrleans.Fuzzing.LegacyTorchFixture;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>PyTorch's format from before 1.6: written by hand as it is, as an attacker would, and by PyTorch itself.</summary>
public class LegacyTorchFileTests
{
    [Fact]
    public void Views_of_one_storage_and_parts_of_storages_are_read()
    {
        var values = Enumerable.Range(0, 12).Select(i => (float)i).ToArray();
        var state = new TorchFixture().OrderedDict().Op('(');
        Tensor(state.Text("rows"), "FloatStorage", "7", 12, 0, [3, 4], [4, 1]);
        Tensor(state.Text("columns"), "FloatStorage", "7", 12, 1, [4, 2], [1, 4]);
        // Storages could be parts of others before 0.4: here the elements from 8 on.
        Tensor(state.Text("part"), "FloatStorage", "7", 12, 1, [3], [1], part: (8, 4));
        using var folder = new TemporaryFolder();
        using var file = WeightFile.Open(folder.File("old.pth", File(state.Op('u').Op('.'), ("7", Bytes(values)))));

        Assert.Equal("PyTorch, before 1.6", file.FormatName);
        Assert.Equal(values, file.Read("rows"));
        Assert.Equal([1f, 5, 2, 6, 3, 7, 4, 8], file.Read("columns"));
        Assert.Equal([9f, 10, 11], file.Read("part"));
    }

    [Fact]
    public void What_is_beside_the_state_dict_is_inert_and_its_storages_are_passed_over()
    {
        using var folder = new TemporaryFolder();
        var trace = folder.File("trace");
        var state = new TorchFixture().Op('}').Op('(').Text("payload").Global("os", "system").Text($"touch {trace}").Bytes(0x85).Op('R');
        Tensor(state.Text("spectrum"), "ComplexFloatStorage", "1", 2, 0, [2], [1]);
        state.Text("state_dict").Op('}').Op('(');
        Tensor(state.Text("a"), "HalfStorage", "2", 1, 0, [1], [1]).Op('u').Op('u').Op('.');
        using var file = WeightFile.Open(folder.File("old.pt", File(state, ("1", new byte[16]), ("2", [0, 0x3c]))));

        Assert.Equal([1f], file.Read("a"));
        Assert.False(System.IO.File.Exists(trace));
    }

    public static TheoryData<string, Func<byte[]>> Damaged => new()
    {
        { "has the number 1002 for its format's version", () => File(Sound(), [("0", Bytes([1]))], version: 1002) },
        { "big-endian machine", () => File(Sound(), [("0", Bytes([1]))], littleEndian: false) },
        { "'0' twice", () => File(Sound(), ("0", Bytes([1])), ("0", Bytes([1]))) },
        { "which the file lacks", () => File(Sound()) },
        { "whose size is not known", () => File(Sound(), ("0", Bytes([1])), ("1", Bytes([1]))) },
        { "the file says 2", () => File(Sound(), [("0", Bytes([1]))], stated: 2) },
        { "has 3 bytes after its last storage", () => [.. File(Sound(), ("0", Bytes([1]))), 0, 0, 0] },
        { "has 3 bytes left", () => File(Sound(), ("0", Bytes([1])))[..^1] },
        { "ends too early", () => File(Sound(), ("0", Bytes([1])))[..60] },
        { "describes the storage '0' in two ways", () =>
            {
                var twice = new TorchFixture().Op('}').Op('(');
                Tensor(twice.Text("a"), "FloatStorage", "0", 1, 0, [1], [1]);
                return File(Tensor(twice.Text("b"), "HalfStorage", "0", 2, 0, [1], [1]).Op('u').Op('.'), ("0", Bytes([1])));
            }
        },
        { "does not fit its storage", () => File(Tensor(new TorchFixture().Op('}').Text("a"), "FloatStorage", "0", 1, 0, [2], [1]).Op('s').Op('.'), ("0", Bytes([1]))) },
        { "something made by 'model.Net', which is not run", () => File(
            new TorchFixture().Op('(').Text("module").Global("model", "Net").Text("model.py").Text("class Net: …").Op('t').Op('Q').Op(')').Bytes(0x81).Op('.')) },
    };

    [Theory]
    [MemberData(nameof(Damaged), DisableDiscoveryEnumeration = true)]
    public void A_damaged_file_is_one_sentence(string reason, Func<byte[]> create)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("old.pt", create());
        var error = Assert.Throws<WeightFileException>(() => WeightFile.Open(path));
        Assert.Contains(reason, error.Message);
        Assert.StartsWith(path, error.Message);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void What_PyTorch_saves_in_the_old_format_is_read(int protocol)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("saved.pth");
        var lines = Python.Run(
            """
            import collections, sys, torch
            torch.manual_seed(7)
            base = torch.randn(6, 8)
            state = collections.OrderedDict(whole=base, transposed=base.t(), part=base[1:5:2, 2:7:3], scalar=torch.tensor(1.25), half=base.half(),
                bf16=base.bfloat16(), parameter=torch.nn.Parameter(base[:2]), empty=torch.zeros(0, 4), flags=base > 0, **torch.nn.Linear(5, 3).state_dict())
            torch.save({'epoch': 3, 'state_dict': state, 'beside': torch.randn(3, dtype=torch.complex64)}, sys.argv[1],
                _use_new_zipfile_serialization=False, pickle_protocol=int(sys.argv[2]))
            for name, tensor in state.items():
                if name != 'flags': print(name, list(tensor.shape), *['%08x' % (bits & 0xffffffff) for bits in tensor.detach().float().contiguous().reshape(-1).view(torch.int32).tolist()], sep='|')
            """, path, protocol.ToString(CultureInfo.InvariantCulture));

        using var file = WeightFile.Open(path);
        Assert.Equal(lines.Length + 1, file.Tensors.Count);
        foreach (var fields in lines.Select(line => line.Split('|')))
        {
            int tensor = file.IndexOf(fields[0]);
            Assert.Equal(fields[1], file.Tensors[tensor].ShapeText);
            var expected = fields[2..].Where(field => field.Length > 0).Select(field => BitConverter.UInt32BitsToSingle(uint.Parse(field, NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
            Tensors.EqualBits([.. expected], file.Read(tensor), fields[0]);
        }

        Assert.Equal("3", file.Metadata["epoch"]);
    }

    private static TorchFixture Sound() => Tensor(new TorchFixture().Op('}').Text("a"), "FloatStorage", "0", 1, 0, [1], [1]).Op('s').Op('.');

    private static byte[] Bytes(float[] values) => System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray();
}
