using System.Runtime.InteropServices;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>What is read and converted goes through small buffers, whatever the file's size and the tensors' strides.</summary>
public class StreamingTests
{
    private const int Rows = 2000;
    private const int Columns = 3001;

    // A window's length, a read's and a conversion's together; the files below are larger.
    private const long MostAllocated = 20 << 20;

    public static TheoryData<string, long[], long[], long> Layouts => new()
    {
        { "row-major", [Rows, Columns], [Columns, 1], 0 },
        { "column-major", [Columns, Rows], [1, Columns], 0 },
        { "every other element of every third row", [Rows / 3, Columns / 2], [3 * Columns, 2], 1 },
        { "three dimensions turned round", [20, Columns, 100], [1, 2000, 20], 0 },
        { "a dimension that repeats", [30, Columns, 60], [0, 1, Columns], 5 },
        { "a column", [Rows], [Columns], 7 },
    };

    [Theory]
    [MemberData(nameof(Layouts), DisableDiscoveryEnumeration = true)]
    public void A_tensor_of_any_strides_is_read_in_order_through_little_memory(string layout, long[] shape, long[] strides, long offset)
    {
        using var folder = new TemporaryFolder();
        var storage = new float[Rows * Columns];
        for (int i = 0; i < storage.Length; i++) storage[i] = i;
        var fixture = new TorchFixture().Op('}').Text("a");
        var path = folder.File("large.pt", fixture.Tensor("FloatStorage", fixture.Storage(MemoryMarshal.AsBytes<float>(storage)), storage.Length, offset, shape, strides).Op('s').Op('.').ToArchive());
        long count = shape.Aggregate((product, size) => product * size);
        var values = new float[count];

        long before = GC.GetAllocatedBytesForCurrentThread();
        using (var file = WeightFile.Open(path))
        {
            for (long done = 0; done < count; done += 100_003) file.ReadFloat32(0, done, values.AsSpan((int)done, (int)Math.Min(100_003, count - done)));
        }

        long windows = layout is "row-major" ? 1 : (count * sizeof(float) >> 23) + 2;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated * windows);
        var index = new long[shape.Length];
        for (long i = 0; i < count; i++)
        {
            long place = offset;
            for (int d = 0; d < shape.Length; d++) place += index[d] * strides[d];
            if (values[i] != storage[place]) Assert.Fail($"{layout}: element {i} is {values[i]}; {storage[place]} is expected.");
            for (int d = shape.Length - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
    }

    [Theory]
    [InlineData("large.pth", "out.safetensors")]
    [InlineData("large.safetensors", "out.pth")]
    [InlineData("large.safetensors", "out")]
    public void A_conversion_needs_little_memory(string from, string to)
    {
        using var folder = new TemporaryFolder();
        var config = ModelPresets.Find("genslm_25M_patric")!;
        Write(folder.File(from), GptNeoXStateDict.Describe(config));
        long before = GC.GetAllocatedBytesForCurrentThread();
        WeightConversion.Run(folder.File(from), folder.File(to), new ConversionOptions { ElementType = TensorElementType.BFloat16 });
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
    }

    [Fact]
    public void Views_that_add_up_to_far_more_than_the_file_are_refused()
    {
        var fixture = new TorchFixture().Op('}').Text("a");
        fixture.Tensor("FloatStorage", fixture.Storage(new byte[4]), 1, 0, [1 << 20, 1 << 20], [0, 0]);
        TorchArchiveTests.Refuse(fixture.Op('s').Op('.').ToArchive(), "use the same elements so often");
    }

    private static void Write(string path, IReadOnlyList<TensorDescription> tensors)
    {
        using var stream = File.Create(path);
        using WeightWriter writer = path.EndsWith(".pth", StringComparison.Ordinal) ? new TorchArchiveWriter(stream, "large", tensors) : new SafetensorsWriter(stream, tensors);
        var piece = new float[1 << 16];
        for (long left = Tensors.Count(tensors); left > 0; left -= piece.Length) writer.Write(piece.AsSpan(0, (int)Math.Min(left, piece.Length)));
        writer.Complete();
    }
}
