using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests.Host;

public sealed class RunMemoryTests
{
    private const long Parameters = 25_290_752;

    private static readonly RunSpec Small = new() { Data = "x", Model = "genslm_25M_patric", SeqLength = 8, BatchSize = 1 };

    [Fact]
    public void One_silo_holds_every_parameter_once_and_two_hold_it_twice_between_them()
    {
        var one = Need(Small, silos: 1);
        Assert.Equal((4 * Parameters, 4 * Parameters, 12 * Parameters, 4 * Parameters, 12 * Parameters), (one.Replica, one.GradientSums, one.Partitions, one.WaitingSums, one.Snapshot));
        var two = Need(Small with { Shards = 2 }, silos: 2);
        Assert.Equal((4 * Parameters, 4 * Parameters, 12 * Parameters, 4 * Parameters), (two.Replica, two.GradientSums, two.Partitions, two.WaitingSums));
        // Both copies of a partition keep what is pinned, whichever the checkpoint is read from.
        Assert.Equal(12 * Parameters, two.Snapshot);
        Assert.Equal(12 * Parameters, one.MostBytes - one.TrainingBytes);
        Assert.InRange(Need(Small with { Shards = 4 }, silos: 4).Partitions, 6 * Parameters, 7.1 * Parameters);
    }

    [Fact]
    public void Bf16_has_smaller_parameters_and_a_gradient_of_its_own()
    {
        Assert.Equal((2 + 2) * Parameters, Need(Small with { Precision = Precision.Bf16 }, silos: 1).Replica);
        Assert.True(Need(Small with { Precision = Precision.Bf16 }, silos: 1).Activations < Need(Small, silos: 1).Activations);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    [InlineData(9, 4)]
    public void Each_doubling_of_a_silo_s_shards_adds_one_gradient(int shards, int gradients) =>
        Assert.Equal(gradients * 4 * Parameters, Need(Small with { Shards = shards }, silos: 1).GradientSums);

    [Fact]
    public void A_silo_of_gpus_has_no_replica_in_its_own_memory()
    {
        var need = new RunMemory(Small, ModelPresets.Find(Small.Model)!, longestRecord: 0).On(silos: 1, cpuDevices: 0);
        Assert.Equal((0, 0, 12 * Parameters), (need.Replica, need.Activations, need.Partitions));
    }

    [Fact]
    public void A_row_is_as_long_as_the_longest_record_unless_it_is_padded_to_the_limit()
    {
        static int Columns(RunSpec spec, int longest) => new RunMemory(spec, ModelPresets.Find("tiny")!, longest).Columns;
        var spec = new RunSpec { Data = "x" };
        Assert.Equal(567, Columns(spec, longest: 567));
        Assert.Equal(100, Columns(spec with { SeqLength = 100 }, longest: 567));
        Assert.Equal(2048, Columns(spec with { Padding = Padding.MaxLength }, longest: 567));
        Assert.Equal(2048, Columns(spec, longest: 0));
    }

    [Fact]
    public void The_table_of_bytes_per_parameter_is_the_code_s()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "GenSlmOrleans.sln"))) folder = folder.Parent!;
        var table = File.ReadLines(Path.Combine(folder.FullName, "docs", "memory.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1).Take(MemoryRole.All.Length);
        Assert.Equal(MemoryRole.All.Select(role => $"| {role.Name} | {role.Fp32Bytes} | {role.Bf16Bytes} | {role.HowOften} |"), table);
    }

    private static SiloNeed Need(RunSpec spec, int silos) => new RunMemory(spec, ModelPresets.Find(spec.Model)!, longestRecord: 0).On(silos, cpuDevices: 1);
}
