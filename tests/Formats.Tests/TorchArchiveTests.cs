using System.IO.Compression;
using System.Runtime.InteropServices;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>What PyTorch archives hold in practice, each built instruction by instruction.</summary>
public class TorchArchiveTests
{
    private static readonly byte[] s_oneToEight = MemoryMarshal.AsBytes<float>([1f, 2, 3, 4, 5, 6, 7, 8]).ToArray();

    [Fact]
    public void Tensors_are_views_of_storages_with_offsets_and_strides()
    {
        var fixture = new TorchFixture().OrderedDict().Op('(');
        var key = fixture.Storage(s_oneToEight);
        fixture.Text("short").Tensor("FloatStorage", key, 8, 0, [3], [1]);
        fixture.Text("later").Tensor("FloatStorage", key, 8, 6, [1, 2], [9, 1]);
        fixture.Text("columns").Tensor("FloatStorage", key, 8, 2, [2, 3], [1, 2]);
        fixture.Text("cube").Tensor("FloatStorage", key, 8, 0, [2, 2, 2], [1, 4, 2]);
        fixture.Text("expanded").Tensor("FloatStorage", key, 8, 3, [2, 2], [0, 1]);
        fixture.Text("scalar").Tensor("FloatStorage", key, 8, 7, [], []);
        fixture.Text("empty").Tensor("FloatStorage", key, 8, 0, [0, 2], [1, 7]);
        using var folder = new TemporaryFolder();

        using var file = WeightFile.Open(folder.File("views.pt", fixture.Op('u').Op('.').ToArchive()));

        Assert.Equal([1, 2, 3], file.Read("short"));
        Assert.Equal([7, 8], file.Read("later"));
        Assert.Equal([3, 5, 7, 4, 6, 8], file.Read("columns"));
        Assert.Equal([1, 3, 5, 7, 2, 4, 6, 8], file.Read("cube"));
        Assert.Equal([4, 5, 4, 5], file.Read("expanded"));
        Assert.Equal([8], file.Read("scalar"));
        Assert.Empty(file.Read("empty"));
    }

    [Fact]
    public void A_checkpoint_with_parameters_paths_sizes_and_attributes_gives_its_state_dict()
    {
        var fixture = new TorchFixture().Op('}').Op('(');
        var key = fixture.Storage(s_oneToEight);
        fixture.Text("hyper_parameters").Op('}').Text("path").Global("pathlib", "PosixPath").Op('(').Text("/").Text("data").Op('t').Op('R').Op('s');
        fixture.Text("shapes").Global("torch", "Size").Integers(4, 2).Bytes(0x85).Op('R');
        fixture.Text("epoch").Integer(3);
        fixture.Text("callbacks").Op(']').Tensor("FloatStorage", key, 8, 0, [1], [1]).Op('a');
        fixture.Text("state_dict").OrderedDict().Op('(');
        fixture.Text("model.weight").Global("torch._utils", "_rebuild_parameter").Op('(')
            .Tensor("FloatStorage", key, 8, 0, [4, 2], [2, 1]).Bytes(0x88).OrderedDict().Op('t').Op('R');
        fixture.Op('u').Op('}').Text("_metadata").OrderedDict().Op('s').Op('b');
        using var folder = new TemporaryFolder();

        using var file = WeightFile.Open(folder.File("last.ckpt", fixture.Op('u').Op('.').ToArchive()));

        Assert.Equal([Tensors.Float("model.weight", 4, 2)], file.Tensors);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], file.Read(0));
        Assert.Equal("3", file.Metadata["epoch"]);
    }

    [Fact]
    public void Half_precision_integers_and_flags_keep_their_types()
    {
        var fixture = new TorchFixture().Op('}').Op('(');
        fixture.Text("half").Tensor("HalfStorage", fixture.Storage([0x00, 0x3e]), 1, 0, [1], [1]);
        fixture.Text("bf16").Tensor("BFloat16Storage", fixture.Storage([0x49, 0xc0, 0x80, 0x3f]), 2, 0, [2], [1]);
        fixture.Text("double").Tensor("DoubleStorage", fixture.Storage([0, 0, 0, 0, 0, 0, 0xe0, 0x3f]), 1, 0, [1], [1]);
        fixture.Text("flags").Tensor("BoolStorage", fixture.Storage([1, 0, 1]), 3, 0, [3], [1]);
        using var folder = new TemporaryFolder();

        using var file = WeightFile.Open(folder.File("types.bin", fixture.Op('u').Op('.').ToArchive()));

        Assert.Equal([1.5f], file.Read("half"));
        Assert.Equal([-3.140625f, 1f], file.Read("bf16"));
        Assert.Equal([0.5f], file.Read("double"));
        Assert.Equal(TensorElementType.Bool, file.Tensors[3].ElementType);
        var flags = new long[2];
        file.ReadInt64(3, 1, flags);
        Assert.Equal([0, 1], flags);
    }

    [Fact]
    public void A_view_that_is_negated_when_it_is_read_is_refused_and_not_read_with_the_wrong_sign()
    {
        var fixture = new TorchFixture().Op('}').Text("state_dict").Op('}').Text("a").Global("torch._utils", "_rebuild_tensor_v2").Op('(');
        fixture.Op('(').Text("storage").Global("torch", "FloatStorage").Text(fixture.Storage(s_oneToEight)).Text("cpu").Integer(8).Op('t').Op('Q');
        fixture.Integer(0).Integers(8).Integers(1).Bytes(0x89).OrderedDict().Op('}').Text("neg").Bytes(0x88).Op('s').Op('t').Op('R');
        Refuse(fixture.Op('s').Op('s').Op('.').ToArchive(), "for an unsupported kind of tensor");
    }

    [Theory]
    [InlineData(8, 7, 2, 1, "does not fit its storage")]
    [InlineData(8, -1, 2, 1, "does not fit its storage")]
    [InlineData(8, 0, 2, -1, "does not fit its storage")]
    [InlineData(8, 0, 3, long.MaxValue, "does not fit its storage")]
    [InlineData(8, 0, long.MaxValue, long.MaxValue, "does not fit its storage")]
    [InlineData(8, 0, -2, 1, "does not fit its storage")]
    [InlineData(9, 0, 2, 1, "36 are expected")]
    [InlineData(long.MaxValue, 0, 2, 1, "are expected")]
    public void A_tensor_that_leaves_its_storage_is_refused(long elements, long offset, long size, long stride, string reason)
    {
        var fixture = new TorchFixture().Op('}');
        fixture.Text("a").Tensor("FloatStorage", fixture.Storage(s_oneToEight), elements, offset, [size], [stride]).Op('s').Op('.');
        Refuse(fixture.ToArchive(), reason);
    }

    [Fact]
    public void A_compressed_or_shortened_archive_and_one_without_its_storage_are_refused()
    {
        var fixture = new TorchFixture().Op('}');
        fixture.Text("a").Tensor("FloatStorage", fixture.Storage(s_oneToEight), 8, 0, [8], [1]).Op('s').Op('.');
        Refuse(fixture.ToArchive(CompressionLevel.SmallestSize), "compressed (method 8)");
        var whole = fixture.ToArchive();
        Refuse(whole[..^1], "probably incomplete");
        Refuse(whole[..(whole.Length / 2)], "probably incomplete");
        Refuse([.. whole[..100], .. whole[101..]], "not fit");

        var elsewhere = new TorchFixture().Op('}').Text("a").Tensor("FloatStorage", "17", 8, 0, [8], [1]).Op('s').Op('.');
        Refuse(elsewhere.ToArchive(), "data/17");
    }

    [Fact]
    public void What_is_not_a_state_dict_is_described()
    {
        Refuse(new TorchFixture().Op(']').Op('.').ToArchive(), "holds a list");
        Refuse(new TorchFixture().Op('}').Text("epoch").Integer(1).Op('s').Op('.').ToArchive(), "'epoch'");
        Refuse(new TorchFixture().Op('}').Text("state_dict").Integer(1).Op('s').Op('.').ToArchive(), "'state_dict' is the number");
        var fixture = new TorchFixture().Op('}').Op('(');
        var key = fixture.Storage(s_oneToEight);
        fixture.Text("a").Tensor("FloatStorage", key, 8, 0, [1], [1]).Text("a").Tensor("FloatStorage", key, 8, 1, [1], [1]).Op('u').Op('.');
        Refuse(fixture.ToArchive(), "'a' occurs twice");
    }

    internal static void Refuse(byte[] archive, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.pt", archive);
        var error = Assert.Throws<WeightFileException>(() => WeightFile.Open(path).Dispose());
        Assert.StartsWith(path, error.Message);
        Assert.Contains(reason, error.Message);
    }
}
