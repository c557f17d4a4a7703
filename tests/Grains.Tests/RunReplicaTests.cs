using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Model;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>What a replica has lent comes back, whatever ends a window.</summary>
public sealed class RunReplicaTests
{
    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public async Task A_window_that_throws_or_is_broken_off_gives_its_gradient_back_and_leaves_nothing_in_the_next(Precision precision)
    {
        using var folder = new TemporaryFolder();
        var cache = folder.File("cache");
        using var store = TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 12).Select(i => $">r{i}\nATGGGCGCCATCGACGAAATG\n")))), cache);
        var plan = new RunPlan(new RunSpec { Data = "data.fasta", AccumulationSteps = 3, ValFraction = 0, Precision = precision }, ModelPresets.Find("tiny")!, store.Sets);
        using var device = new ComputeDevice("cpu", TimeProvider.System);
        await using var replica = await RunReplica.CreateAsync("run", "silo", device, plan, store);
        using var parameters = Block.Rent(0, plan.Layout.BlockSize(0));
        ParameterInitialization.Fill(plan.Config, 3, 0, parameters.Values);
        await replica.WriteAsync(parameters, 0);
        var expected = await WindowAsync(replica, plan);

        using (new DamagedTokens(Directory.GetFiles(cache).Single()))
            Assert.False(await Assert.ThrowsAnyAsync<Exception>(() => WindowAsync(replica, plan)) is OperationCanceledException);
        Assert.Equal(0, replica.GradientsOut);
        Assert.Equal(expected, await WindowAsync(replica, plan));

        using var abandoned = new CancellationTokenSource();
        await abandoned.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => replica.AccumulateAsync(0, plan.Windows.Locate(1), abandoned.Token));
        Assert.Equal(0, replica.GradientsOut);
        Assert.Equal(expected, await WindowAsync(replica, plan));
    }

    // Its bits.
    private static async Task<ulong> WindowAsync(RunReplica replica, RunPlan plan)
    {
        var (_, gradient) = await replica.AccumulateAsync(0, plan.Windows.Locate(1));
        using var block = await replica.ReadAsync(gradient, 0);
        gradient.Return();
        return XxHash3.HashToUInt64(MemoryMarshal.AsBytes(block.Values));
    }
}
