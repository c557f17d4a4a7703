using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Testing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The ledger of a run whose shards compute on a real replica.</summary>
public sealed class RunLedgerTests : IDisposable
{
    private const string DataHash = "0123456789abcdef0123456789abcdef";

    private readonly TemporaryFolder _folder = new();
    private readonly FileThreads _files = new();
    private readonly TokenStore _store;
    private readonly RunPlan _plan;

    public RunLedgerTests()
    {
        var fasta = string.Concat(Enumerable.Range(0, 17).Select(record => $">r{record}\n{string.Concat(Enumerable.Repeat("ATGGCC", 2 + (record % 5)))}\n"));
        _store = TokenStoreBuilder.OpenOrBuild(_folder.File("data.fasta", Encoding.ASCII.GetBytes(fasta)), _folder.File("cache"));
        _plan = new RunPlan(new RunSpec { Data = "data.fasta", Output = _folder.Path, Shards = 3, AccumulationSteps = 2 }, ModelPresets.Find("tiny")!, _store.Sets);
    }

    [Fact]
    public async Task What_the_shards_computed_is_each_record_exactly_once_an_epoch()
    {
        var ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, 0, head: null);
        Assert.Null(await ledger.RecordsSeenExactlyOnceAsync());
        for (long step = 1; step <= 2L * _plan.Windows.StepsPerEpoch; step++) await ledger.AppendAsync(step, await ComputeAsync(step));
        await ledger.FlushAsync();
        Assert.True(await ledger.RecordsSeenExactlyOnceAsync());
        Assert.Equal(1 + ledger.Step, File.ReadLines(_folder.File(LedgerFile.FileName)).Count());

        var lines = File.ReadAllLines(_folder.File(LedgerFile.FileName));
        File.WriteAllLines(_folder.File(LedgerFile.FileName), [.. lines[..2], .. lines[3..]]);
        Assert.False(await ledger.RecordsSeenExactlyOnceAsync());
    }

    [Fact]
    public async Task A_step_whose_shard_computed_other_records_is_not_recorded()
    {
        var ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, 0, head: null);
        var digests = await ComputeAsync(1);
        Assert.Null(RunLedger.Objection(RunLedger.Expected(new StepRecords(_plan.Data), 1, digests.Length), 1, digests));
        (digests[1], digests[2]) = (digests[2], digests[1]);
        var failure = await Assert.ThrowsAsync<RunFailedException>(() => ledger.AppendAsync(1, digests));
        Assert.StartsWith("Step 1: shard 1 computed other records", failure.Message);
        Assert.Equal(0, ledger.Step);
        Assert.Single(File.ReadAllLines(_folder.File(LedgerFile.FileName)));
    }

    [Fact]
    public async Task A_step_that_was_skipped_has_a_line_and_its_records_are_missed()
    {
        var ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, 0, head: null);
        for (long step = 1; step <= _plan.Windows.StepsPerEpoch; step++) await ledger.AppendAsync(step, step == 1 ? [] : await ComputeAsync(step));
        await ledger.AppendAsync(ledger.Step, await ComputeAsync(ledger.Step));
        Assert.Equal(1 + ledger.Step, File.ReadLines(_folder.File(LedgerFile.FileName)).Count());
        Assert.False(await ledger.RecordsSeenExactlyOnceAsync());
        ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, ledger.Step, ledger.Head);
        Assert.Equal(_plan.Windows.StepsPerEpoch, ledger.Step);
    }

    [Fact]
    public async Task A_run_that_falls_back_and_one_that_resumes_end_with_the_same_ledger()
    {
        var ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, 0, head: null);
        var computed = new List<byte[][]>();
        var heads = new List<string> { ledger.Head };
        for (long step = 1; step <= 3; step++)
        {
            computed.Add(await ComputeAsync(step));
            await ledger.AppendAsync(step, computed[^1]);
            heads.Add(ledger.Head);
        }

        await ledger.AppendAsync(3, computed[2]);
        await ledger.TruncateToAsync(1, heads[1]);
        Assert.Equal((1, heads[1]), (ledger.Step, ledger.Head));
        await ledger.AppendAsync(2, computed[1]);

        ledger = await RunLedger.OpenAsync(_files, _plan, DataHash, 2, heads[2]);
        await ledger.AppendAsync(2, computed[1]);
        Assert.Equal((2, heads[2]), (ledger.Step, ledger.Head));
        await ledger.AppendAsync(3, computed[2]);
        Assert.Equal(heads[3], ledger.Head);
        Assert.True(await ledger.RecordsSeenExactlyOnceAsync());

        var refusal = await Assert.ThrowsAsync<RunInputException>(() => RunLedger.OpenAsync(_files, _plan, DataHash, 2, heads[3]));
        Assert.Contains($"has the head {heads[2]} after step 2; the checkpoint has '{heads[3]}'. 'genslm verify {_folder.Path}' says more.", refusal.Message);
        refusal = await Assert.ThrowsAsync<RunInputException>(() => RunLedger.OpenAsync(_files, _plan, DataHash.Replace('0', '1'), 2, heads[2]));
        Assert.Contains("is of a run with 'data=", refusal.Message);
    }

    [Fact]
    public async Task The_digest_travels_with_the_totals()
    {
        await using var services = new ServiceCollection().AddSerializer().BuildServiceProvider();
        var serializer = services.GetRequiredService<Serializer>();
        var totals = new ShardTotals(2, 0, 0, 0, 0, 0, 0) { RecordsDigest = StepDigest.OfShard([1, 2]) };
        Assert.Equal(totals.RecordsDigest, serializer.Deserialize<ShardTotals>(serializer.SerializeToArray(totals))!.RecordsDigest);
    }

    /// <summary>The digests that a device reports after forward and backward of every shard's window.</summary>
    private async Task<byte[][]> ComputeAsync(long step)
    {
        using var device = new ComputeDevice("cpu", TimeProvider.System);
        await using var replica = await RunReplica.CreateAsync("run", "silo", device, _plan, _store);
        var digests = new byte[_plan.Spec.Shards][];
        for (int shard = 0; shard < digests.Length; shard++)
        {
            var (totals, gradient) = await replica.AccumulateAsync(shard, _plan.Windows.Locate(step));
            gradient.Return();
            digests[shard] = totals.RecordsDigest;
        }

        return digests;
    }

    public void Dispose()
    {
        _files.Dispose();
        _store.Dispose();
        _folder.Dispose();
    }
}
