using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class ComparisonTests
{
    [Fact]
    public void The_largest_difference_of_each_tensor_is_found_wherever_it_is()
    {
        var tensors = new[] { Tensors.Float("same", 400_000), Tensors.Float("late", 300_000), Tensors.Float("special", 4) };
        var values = Tensors.Values(Tensors.Count(tensors));
        values.AsSpan(^4).Clear();
        values[^4] = float.NaN;
        var changed = values.ToArray();
        changed[699_998] = 3;
        values[699_998] = 2;
        var differences = Compare(tensors, values, tensors, changed);
        Assert.Equal(["same", "late", "special"], differences.Select(difference => difference.Name));
        Assert.Equal([0, 1, 0], differences.Select(difference => difference.MaximumAbsolute));
        Assert.Equal([0, 1 / 3.0, 0], differences.Select(difference => difference.MaximumRelative));

        changed[^4] = 0;
        changed[^3] = -0f;
        Assert.Equal([0, 1, double.PositiveInfinity], Compare(tensors, values, tensors, changed).Select(difference => difference.MaximumAbsolute));
    }

    [Fact]
    public void Missing_tensors_and_other_shapes_are_not_comparable()
    {
        var differences = Compare([Tensors.Float("a", 2), Tensors.Float("b", 2)], new float[4], [Tensors.Float("a", 1, 2), Tensors.Float("c", 2)], new float[4]);
        Assert.Equal(["a", "b", "c"], differences.Select(difference => difference.Name));
        Assert.All(differences, difference => Assert.False(difference.IsComparable));
        Assert.Equal((true, false), (differences[1].Second is null, differences[1].First is null));
    }

    [Theory]
    [InlineData("zero2-prefixed.pt", 0)]
    [InlineData("state-dict-metadata.pth", 0)]
    [InlineData("bf16.pth", 1 / 256.0)]
    public void Prefixes_buffers_and_types_do_not_count(string name, double relative)
    {
        using var first = WeightFile.Open(SharedFolder.File("reference", "published", "weights.safetensors"));
        using var second = WeightFile.Open(SharedFolder.File("reference", "published", name));
        var differences = WeightComparison.Compare(first, second).ToList();
        Assert.Equal(28, differences.Count);
        Assert.All(differences, difference => Assert.InRange(difference.MaximumRelative, 0, relative));
    }

    private static List<TensorDifference> Compare(TensorDescription[] left, float[] leftValues, TensorDescription[] right, float[] rightValues)
    {
        using var folder = new TemporaryFolder();
        using var first = WeightFile.Open(folder.File("a.safetensors", Tensors.Safetensors(left, leftValues)));
        using var second = WeightFile.Open(folder.File("b.pth", Tensors.Archive("b", right, rightValues)));
        return [.. WeightComparison.Compare(first, second)];
    }
}
