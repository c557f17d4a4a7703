using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>What is written, and what a crash, a resumed run or a second writer makes of it.</summary>
public sealed class LedgerFileTests
{
    [Fact]
    public void The_hashes_are_those_that_the_decision_record_describes()
    {
        Assert.Equal(SHA256.HashData([]), StepDigest.OfShard([]));
        Assert.Equal(
            SHA256.HashData([7, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x42, 0x0f, 0, 0, 0, 0, 0]),
            StepDigest.OfShard([7, 1_000_000]));
        var step = new byte[8 + 64];
        BinaryPrimitives.WriteInt64LittleEndian(step, 300);
        StepDigest.OfShard([7]).CopyTo(step, 8);
        StepDigest.OfShard([8]).CopyTo(step, 40);
        Assert.Equal(SHA256.HashData(step), StepDigest.OfStep(300, [StepDigest.OfShard([7]), StepDigest.OfShard([8])]));
        Assert.Equal(SHA256.HashData([.. new byte[32], .. step[8..40]]), StepDigest.NextHead(new byte[32], step.AsSpan(8, 32)));
        Assert.Equal(
            "genslm-ledger-1 data=0123456789abcdef0123456789abcdef records=24 seed=42 valFraction=0.25 shuffle=true shards=3 batchSize=1 accumulationSteps=2 after=0",
            Ledgers.Identity.Text);
        Assert.Equal(SHA256.HashData(Encoding.UTF8.GetBytes(Ledgers.Identity.Text)), Ledgers.Identity.Head());
        Assert.EndsWith(" accumulationSteps=2 bucketByLength=true lengths=fedcba9876543210fedcba9876543210 after=0", (Ledgers.Identity with { Lengths = "fedcba9876543210fedcba9876543210" }).Text);
    }

    [Fact]
    public void A_digest_does_not_depend_on_how_the_records_come_in_micro_batches()
    {
        var records = Enumerable.Range(0, 1000).Select(i => i * 7 % 1000).ToArray();
        using var digest = new WindowDigest();
        for (int first = 0; first < records.Length; first += 130) digest.Append(records.AsSpan(first, Math.Min(130, records.Length - first)));
        Assert.Equal(StepDigest.OfShard(records), digest.Finish());
        Assert.NotEqual(StepDigest.OfShard([1, 2]), StepDigest.OfShard([2, 1]));
    }

    [Fact]
    public void A_ledger_cut_off_at_any_byte_goes_on_to_the_same_file()
    {
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder, 4);
        var whole = File.ReadAllBytes(Ledgers.Path(folder));
        var ends = whole.Select((value, i) => (value, i)).Where(found => found.value == '\n').Select(found => found.i + 1).ToArray();
        for (int length = ends[0]; length < whole.Length; length++)
        {
            File.WriteAllBytes(Ledgers.Path(folder), whole.AsSpan(..length));
            int steps = ends.Count(end => end <= length) - 1;
            var ledger = LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, steps, Ledgers.Head(steps));
            Assert.Equal((steps, Ledgers.Head(steps)), (ledger.Step, ledger.Head));
            for (long step = steps + 1; step <= 4; step++) ledger.Append(step, Ledgers.Plan.EpochOf(step), Ledgers.Digests(step));
            Assert.Equal(whole, File.ReadAllBytes(Ledgers.Path(folder)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\0\0\0\0")]
    [InlineData("{\"step\":5,\"epoch\":1,\"shards\":[\"00")]
    public void A_resumed_run_drops_the_steps_after_its_checkpoint_and_whatever_a_power_cut_left(string tail)
    {
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder, 4);
        File.AppendAllText(Ledgers.Path(folder), tail);
        var ledger = LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, 2, Ledgers.Head(2));
        Assert.Equal((2, Ledgers.Head(2)), (ledger.Step, ledger.Head));
        var kept = File.ReadAllText(Ledgers.Path(folder));
        Assert.Equal(3, kept.Count(letter => letter == '\n'));
        Assert.EndsWith($"\"head\":\"{Ledgers.Head(2)}\"}}\n", kept);
    }

    [Fact]
    public void A_run_that_goes_back_to_a_checkpoint_drops_the_steps_after_it()
    {
        using var folder = new TemporaryFolder();
        var ledger = Ledgers.Write(folder);
        var whole = File.ReadAllBytes(Ledgers.Path(folder));
        ledger.TruncateTo(2, Ledgers.Head(2));
        Assert.Equal((2, Ledgers.Head(2)), (ledger.Step, ledger.Head));
        Assert.Equal(3, File.ReadAllLines(Ledgers.Path(folder)).Length);
        for (long step = 3; step <= Ledgers.Steps; step++) ledger.Append(step, Ledgers.Plan.EpochOf(step), Ledgers.Digests(step));
        Assert.Equal(whole, File.ReadAllBytes(Ledgers.Path(folder)));
        ledger.TruncateTo(0);
        Assert.Equal((0, Ledgers.Head(0)), (ledger.Step, ledger.Head));
    }

    [Fact]
    public void A_step_recorded_again_changes_nothing_and_with_other_records_is_refused()
    {
        using var folder = new TemporaryFolder();
        var ledger = Ledgers.Write(folder, 3);
        var whole = File.ReadAllBytes(Ledgers.Path(folder));
        ledger.Append(3, 0, Ledgers.Digests(3));
        Assert.Equal(whole, File.ReadAllBytes(Ledgers.Path(folder)));
        Assert.Contains("step 3 with other records", Refusal(() => ledger.Append(3, 0, Ledgers.Digests(4))));
        Assert.Contains("is at step 3; expected step 4 next, not step 6", Refusal(() => ledger.Append(6, 1, Ledgers.Digests(6))));
        Assert.Contains("is at step 3; expected step 4 next, not step 2", Refusal(() => ledger.Append(2, 0, Ledgers.Digests(2))));
        Assert.Equal(whole, File.ReadAllBytes(Ledgers.Path(folder)));
    }

    [Fact]
    public void A_stale_writer_beside_the_live_one_does_no_harm()
    {
        using var folder = new TemporaryFolder();
        var stale = Ledgers.Write(folder, 2);
        var live = LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, 2, Ledgers.Head(2));
        for (long step = 3; step <= 5; step++) live.Append(step, Ledgers.Plan.EpochOf(step), Ledgers.Digests(step));
        var whole = File.ReadAllBytes(Ledgers.Path(folder));
        stale.Append(3, 0, Ledgers.Digests(3));
        Assert.Equal(whole, File.ReadAllBytes(Ledgers.Path(folder)));
        Assert.Contains("something else than step 4", Refusal(() => stale.Append(4, 1, Ledgers.Digests(5))));
        live.TruncateTo(1);
        Assert.Contains("Somebody has cut it", Refusal(() => stale.Append(4, 1, Ledgers.Digests(4))));
    }

    [Fact]
    public void A_run_does_not_go_on_with_a_ledger_that_is_not_its_own()
    {
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder, 4);
        var path = Ledgers.Path(folder);
        var whole = File.ReadAllBytes(path);
        Assert.Contains("ends after step 4; the run goes on after step 5", Refusal(() => LedgerFile.Open(path, Ledgers.Identity, 5, null)));
        Assert.Contains($"has the head {Ledgers.Head(3)} after step 3; the checkpoint has '{Ledgers.Head(2)}'", Refusal(() => LedgerFile.Open(path, Ledgers.Identity, 3, Ledgers.Head(2))));
        Assert.Contains("is of a run with 'seed=42'; expected 'seed=43'", Refusal(() => LedgerFile.Open(path, Ledgers.Identity with { Seed = 43 }, 3, null)));
        Assert.Contains("is of a run with 'bucketByLength=false'; expected 'bucketByLength=true'", Refusal(() => LedgerFile.Open(path, Ledgers.Identity with { Lengths = "ab" }, 3, null)));
        Assert.Equal(whole, File.ReadAllBytes(path));

        File.WriteAllText(path, File.ReadAllText(path).Replace("\"step\":2,\"epoch\":0", "\"step\":2,\"epoch\":0 "));
        Assert.Contains("line 3 is not a ledger's entry; expected step 2", Refusal(() => LedgerFile.Open(path, Ledgers.Identity, 4, null)));
        var lines = Encoding.UTF8.GetString(whole).Split('\n');
        lines[2] = lines[2].Replace(Convert.ToHexStringLower(Ledgers.Digests(2)[1]), Convert.ToHexStringLower(Ledgers.Digests(3)[1]));
        File.WriteAllText(path, string.Join('\n', lines));
        Assert.Contains("line 3: the head does not follow from the line before it; step 2 was altered", Refusal(() => LedgerFile.Open(path, Ledgers.Identity, 4, null)));

        File.Delete(path);
        Assert.Contains($"the checkpoint of step 3 has the ledger head {Ledgers.Head(3)}", Refusal(() => LedgerFile.Open(path, Ledgers.Identity, 3, Ledgers.Head(3))));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_ledger_whose_order_depends_on_lengths_says_so_and_is_no_others()
    {
        using var folder = new TemporaryFolder();
        var identity = Ledgers.Identity with { Lengths = "ab" };
        var begun = LedgerFile.Open(Ledgers.Path(folder), identity, 0, head: null);
        Assert.NotEqual(Ledgers.Head(0), begun.Head);
        Assert.Equal((identity, begun.Head), LedgerFile.Open(Ledgers.Path(folder), identity, 0, begun.Head) is var again ? (again.Identity, again.Head) : default);
        Assert.Contains("is of a run with 'bucketByLength=true'; expected 'bucketByLength=false'", Refusal(() => LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, 0, null)));
        Assert.Contains("is of a run with 'lengths=ab'; expected 'lengths=cd'", Refusal(() => LedgerFile.Open(Ledgers.Path(folder), identity with { Lengths = "cd" }, 0, null)));
    }

    [Fact]
    public void A_run_from_before_there_were_ledgers_gets_one_from_where_it_goes_on()
    {
        using var folder = new TemporaryFolder();
        var ledger = LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, 3, head: null);
        for (long step = 4; step <= 6; step++) ledger.Append(step, 1, Ledgers.Digests(step));
        ledger = LedgerFile.Open(Ledgers.Path(folder), Ledgers.Identity, 5, head: null);
        Assert.Equal((5, 3), (ledger.Step, ledger.Identity.After));
        Assert.Contains("begins after step 3; the run goes on after step 2", Refusal(() => ledger.TruncateTo(2)));
    }

    [Fact]
    public void A_manifest_from_before_there_were_ledgers_loads_and_one_with_a_head_keeps_it()
    {
        using var folder = new TemporaryFolder();
        folder.File(CheckpointManifest.FileName, """{"format": 1, "runId": "old", "step": 7}"""u8);
        Assert.Null(CheckpointManifest.Read(folder.Path).LedgerHead);
        var manifest = CheckpointManifest.Read(folder.Path) with { Progress = JsonDocument.Parse("{}").RootElement };
        using (var stream = File.Create(folder.File(CheckpointManifest.FileName))) (manifest with { LedgerHead = Ledgers.Head(3) }).Write(stream);
        Assert.Equal((7, Ledgers.Head(3)), (CheckpointManifest.Read(folder.Path).Step, CheckpointManifest.Read(folder.Path).LedgerHead));
    }

    private static string Refusal(Action action) => Assert.Throws<LedgerException>(action).Message;
}
