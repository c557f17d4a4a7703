using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Whatever is done to a ledger is found, and named with its step and shard.</summary>
public sealed class LedgerVerificationTests
{
    private static readonly CheckpointHead[] Checkpoints = [new("flu-00", 3, Ledgers.Head(3)), new("flu-01", 6, Ledgers.Head(6)), new("old", 4, null)];

    [Fact]
    public void A_ledger_that_a_run_wrote_is_sound()
    {
        var report = Verify(lines => lines);
        Assert.Equal((true, 0, 6, 2, Ledgers.Head(6)), (report.RecordsSeenExactlyOnce, report.FindingCount, report.LastStep, report.CheckpointsMatched, report.Head));
        Assert.Equal([new EpochRecords(0, true, 16, 0, 0), new EpochRecords(1, true, 16, 0, 0)], report.Epochs);
    }

    [Fact]
    public void A_run_that_is_not_over_is_sound_as_far_as_it_went()
    {
        var report = Verify(lines => lines[..5], [Checkpoints[0]]);
        Assert.Equal((true, 4), (report.RecordsSeenExactlyOnce, report.LastStep));
        Assert.Equal([new EpochRecords(0, true, 16, 0, 0), new EpochRecords(1, false, 6, 10, 0)], report.Epochs);
    }

    [Fact]
    public void A_line_that_a_crash_cut_off_is_no_fault_unless_a_checkpoint_needs_it()
    {
        var report = Verify(lines => [.. lines[..6], lines[6][..^9]], [Checkpoints[0]], lineEnd: "");
        Assert.Equal((true, true, 5), (report.RecordsSeenExactlyOnce, report.EndsInCutLine, report.LastStep));
        AssertFound(Verify(lines => [.. lines[..6], lines[6][..^9]], lineEnd: ""), 6, null, "ends after step 5, but the checkpoint flu-01 is of step 6");
    }

    [Fact]
    public void A_shard_that_computed_another_record_is_named_even_when_all_hashes_agree()
    {
        var report = Verify(lines => [.. Chained(step => step == 4 ? [Ledgers.Digests(4)[0], StepDigest.OfShard([6, 3]), Ledgers.Digests(4)[2]] : Ledgers.Digests(step))], []);
        AssertFound(report, 4, 1, "line 5: step 4, shard 1 did not have the records that the settings and the data give.");
        Assert.Equal(new EpochRecords(1, true, 14, 2, 0), report.Epochs[1]);
    }

    [Fact]
    public void A_shard_that_repeated_a_window_is_named_with_the_window()
    {
        var report = Verify(lines => [.. Chained(step => step == 5 ? [Ledgers.Digests(5)[0], Ledgers.Digests(4)[1], Ledgers.Digests(5)[2]] : Ledgers.Digests(step))], []);
        AssertFound(report, 5, 1, "step 5, shard 1 did not have the records that the settings and the data give, but those of step 4, shard 1.");
    }

    [Fact]
    public void A_step_that_was_skipped_is_named_and_its_records_are_missed()
    {
        var report = Verify(lines => [.. Chained(step => step == 2 ? [] : Ledgers.Digests(step))], []);
        AssertFound(report, 2, null, "line 3: step 2 was skipped; none of its records entered a gradient.");
        Assert.Equal(new EpochRecords(0, true, 10, 6, 0), report.Epochs[0]);
    }

    [Fact]
    public void A_digest_that_was_changed()
    {
        var report = Verify(lines => With(lines, 3, lines[3].Replace(Convert.ToHexStringLower(Ledgers.Digests(3)[2]), Convert.ToHexStringLower(StepDigest.OfShard([1])))), []);
        Assert.Equal((2, 3L, 2), (report.FindingCount, report.Findings[0].Step, report.Findings[0].Shard));
        Assert.Equal((3L, (int?)null), (report.Findings[1].Step, report.Findings[1].Shard));
        Assert.Contains("line 4: the chain breaks at step 3", report.Findings[1].Sentence);
    }

    [Fact]
    public void A_head_that_was_changed() =>
        AssertFound(Verify(lines => With(lines, 4, lines[4].Replace(Ledgers.Head(4), Ledgers.Head(5)))), 4, null, "the chain breaks at step 4");

    [Theory]
    [InlineData("\"epoch\":1", "\"epoch\":2", "step 5 is said to be of epoch 2; expected 1")]
    [InlineData("\"step\":5", "\"step\": 5", "line 6 is not a ledger's entry; expected step 5")]
    [InlineData("\"step\":5", "\"step\":999999", "line 6 has step 999999; expected step 5")]
    [InlineData("\"step\":5", "\"step\":-5", "line 6 has step -5; expected step 5")]
    [InlineData("{", "", "line 6 is not a ledger's entry; expected step 5")]
    [InlineData("\"shards\":[", "\"shards\":[null,", "line 6 is not a ledger's entry; expected step 5")]
    public void A_line_that_was_damaged(string old, string now, string expected) =>
        AssertFound(Verify(lines => With(lines, 5, lines[5].Replace(old, now))), 5, null, expected);

    [Fact]
    public void Two_lines_that_changed_places()
    {
        var report = Verify(lines => With(With(lines, 2, lines[3]), 3, lines[2]));
        Assert.Equal([3L, 2, 4], report.Findings.Select(finding => finding.Step));
        Assert.Contains("line 3 has step 3 where step 2 is expected: a step is missing or out of place", report.Findings[0].Sentence);
        Assert.Contains("line 4 has step 2 where step 4 is expected: it is repeated or out of place", report.Findings[1].Sentence);
        Assert.False(report.RecordsSeenExactlyOnce);
    }

    [Fact]
    public void A_line_that_was_dropped()
    {
        var report = Verify(lines => [.. lines[..2], .. lines[3..]]);
        AssertFound(report, 3, null, "line 3 has step 3 where step 2 is expected: a step is missing");
        Assert.Equal(new EpochRecords(0, true, 10, 6, 0), report.Epochs[0]);
        AssertFound(Verify(lines => lines[..6]), 6, null, "ends after step 5, but the checkpoint flu-01 is of step 6");
    }

    [Fact]
    public void A_line_that_is_there_twice()
    {
        var report = Verify(lines => [.. lines[..3], lines[2], .. lines[3..]]);
        AssertFound(report, 2, null, "line 4 has step 2 where step 3 is expected: it is repeated");
        Assert.Equal(new EpochRecords(0, true, 10, 0, 6), report.Epochs[0]);
    }

    [Fact]
    public void A_ledger_of_other_settings_or_without_its_first_line()
    {
        AssertFound(Verify(lines => With(lines, 0, lines[0].Replace("seed=42", "seed=43"))), 0, null, "line 1 is not the first line of a ledger");
        var other = System.Text.Encoding.UTF8.GetString(LedgerEntry.FirstLine(Ledgers.Identity with { Shards = 2 })).TrimEnd();
        AssertFound(Verify(lines => With(lines, 0, other)), 0, null, "is of a run with 'shards=2'; expected 'shards=3'");
        AssertFound(Verify(lines => lines[1..]), 0, null, "line 1 is not the first line of a ledger");
    }

    [Fact]
    public void A_checkpoint_whose_head_is_another() =>
        AssertFound(Verify(lines => lines, [new("flu", 5, Ledgers.Head(4))]), 5, null, $"The checkpoint flu has the ledger head '{Ledgers.Head(4)}' at step 5;");

    [Fact]
    public void A_change_of_any_one_byte_is_found()
    {
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder);
        var path = Ledgers.Path(folder);
        var whole = File.ReadAllBytes(path);
        for (int i = 0; i < whole.Length; i++)
        {
            foreach (byte flipped in (byte[])[1, 0x20, 0x80])
            {
                var changed = whole.ToArray();
                changed[i] ^= flipped;
                File.WriteAllBytes(path, changed);
                Assert.False(LedgerVerification.Verify(path, Ledgers.Plan, Checkpoints).RecordsSeenExactlyOnce, $"byte {i} ^ {flipped:x2}");
            }
        }
    }

    [Fact]
    public void The_program_in_the_decision_record_checks_the_chain()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "GenSlmOrleans.sln"))) root = root.Parent!;
        var page = File.ReadAllLines(Path.Combine(root.FullName, "docs", "adr", "0005-ledger-of-records.md"));
        var program = page.SkipWhile(line => !line.StartsWith("    import", StringComparison.Ordinal)).Select(line => line.Length > 4 ? line[4..] : "");
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder);
        Assert.Equal([$"6 {Ledgers.Head(6)}"], Python.RunPlain(string.Join('\n', program), Ledgers.Path(folder)));
    }

    private static LedgerReport Verify(Func<string[], string[]> change, CheckpointHead[]? checkpoints = null, string lineEnd = "\n")
    {
        using var folder = new TemporaryFolder();
        Ledgers.Write(folder);
        var path = Ledgers.Path(folder);
        File.WriteAllText(path, string.Join('\n', change(File.ReadAllLines(path))) + lineEnd);
        return LedgerVerification.Verify(path, Ledgers.Plan, checkpoints ?? Checkpoints);
    }

    /// <summary>A ledger whose hashes are right, whatever the digests are: forged by somebody who knows how.</summary>
    private static IEnumerable<string> Chained(Func<long, byte[][]> digests)
    {
        yield return System.Text.Encoding.UTF8.GetString(LedgerEntry.FirstLine(Ledgers.Identity)).TrimEnd();
        var head = Ledgers.Identity.Head();
        for (long step = 1; step <= Ledgers.Steps; step++)
        {
            head = StepDigest.NextHead(head, StepDigest.OfStep(step, digests(step)));
            yield return System.Text.Encoding.UTF8.GetString(new LedgerEntry(step, Ledgers.Plan.EpochOf(step), digests(step), head).ToLine()).TrimEnd();
        }
    }

    private static string[] With(string[] lines, int index, string line) => [.. lines.Select((old, i) => i == index ? line : old)];

    private static void AssertFound(LedgerReport report, long step, int? shard, string sentence)
    {
        Assert.Equal((step, shard), (report.Findings.Single().Step, report.Findings.Single().Shard));
        Assert.Contains(sentence, report.Findings.Single().Sentence);
        Assert.False(report.RecordsSeenExactlyOnce);
    }
}
