using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary><c>genslm verify</c> on output folders as a run leaves them, and on what somebody made of them.</summary>
public sealed class VerifyTests
{
    /// <summary>16 training records, 3 shards of 5 or 6, windows of 2: three steps an epoch.</summary>
    private static readonly RunSpec Spec = new() { Shards = 3, BatchSize = 1, AccumulationSteps = 2, Epochs = 2, Seed = 9 };

    private const int Steps = 6;

    /// <summary>Records of 2 to 8 codons, cut to 5 by the model's positions; two steps an epoch.</summary>
    private static readonly RunSpec Bucketed = new() { Shards = 2, BatchSize = 2, AccumulationSteps = 2, Epochs = 3, Seed = 9, BucketByLength = true };

    [Fact]
    public async Task A_run_with_records_of_similar_length_together_is_verified_by_their_lengths()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder, spec: Bucketed);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.EndsWith("verified     every training record exactly once an epoch, none lost, none repeated\n", output);

        var run = folder.File("out/run.json");
        var settings = File.ReadAllText(run);
        foreach (var (was, now, expected) in new[]
        {
            ("\"bucketByLength\": true", "\"bucketByLength\": false", "is of a run with 'bucketByLength=true'; expected 'bucketByLength=false'."),
            ("\"seqLength\": 0", "\"seqLength\": 4", "is of a run with 'lengths="),
        })
        {
            File.WriteAllText(run, settings.Replace(was, now));
            Assert.NotEqual(settings, File.ReadAllText(run));
            (exitCode, _, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
            Assert.Equal(1, exitCode);
            Assert.Contains(expected, errors);
        }

        File.WriteAllText(run, settings.Replace("modelConfig", "model"));
        await AssertRefusedAsync("run.json does not say how long the run's sequences are", "verify", folder.File("out"));
    }

    [Fact]
    public async Task A_finished_run_is_verified()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains("ledger       6 of 6 steps, 3 shards, head ", output);
        Assert.Contains("checkpoints  1 of 1 have the ledger's head\n", output);
        Assert.Contains("1             16        16         0         0\n2             16        16         0         0\n", output);
        Assert.EndsWith("verified     every training record exactly once an epoch, none lost, none repeated\n", output);
    }

    [Theory]
    [InlineData("--json")]
    [InlineData("-o", "json")]
    public async Task A_script_reads_one_object(params string[] options)
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync(["verify", folder.File("out"), .. options]);
        Assert.Equal((0, ""), (exitCode, errors));
        using var json = JsonDocument.Parse(output);
        var root = json.RootElement;
        Assert.True(root.GetProperty("recordsSeenExactlyOnce").GetBoolean());
        Assert.Equal((6, 16), (root.GetProperty("steps").GetInt64(), root.GetProperty("trainingRecords").GetInt32()));
        Assert.Equal(["""{"epoch":0,"isComplete":true,"once":16,"never":0,"repeated":0,"isSound":true}""", """{"epoch":1,"isComplete":true,"once":16,"never":0,"repeated":0,"isSound":true}"""], root.GetProperty("epochs").EnumerateArray().Select(epoch => epoch.GetRawText()));
    }

    [Fact]
    public async Task A_record_that_entered_in_the_place_of_another_is_named_with_step_and_shard()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder, (step, shard, records) => (step, shard) == (4, 1) ? [records[0], records[0] + 1] : records);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"), "--json");
        Assert.Equal(1, exitCode);
        Assert.Equal($"{folder.File("out/ledger.jsonl")} line 5: step 4, shard 1 did not have the records that the settings and the data give.\n", errors);
        using var json = JsonDocument.Parse(output);
        var finding = json.RootElement.GetProperty("findings").EnumerateArray().Single();
        Assert.Equal((false, 4, 1), (json.RootElement.GetProperty("recordsSeenExactlyOnce").GetBoolean(), finding.GetProperty("step").GetInt32(), finding.GetProperty("shard").GetInt32()));
        Assert.Equal(2, json.RootElement.GetProperty("epochs")[1].GetProperty("never").GetInt32());
    }

    [Theory]
    [InlineData("swap", "line 4 has step 4 where step 3 is expected")]
    [InlineData("drop", "line 4 has step 4 where step 3 is expected: a step is missing")]
    [InlineData("repeat", "line 5 has step 3 where step 4 is expected: it is repeated")]
    [InlineData("garble", "line 4 is not a ledger's entry; expected step 3")]
    [InlineData("truncate", "ends after step 3, but the checkpoint genslm-01-1.00 is of step 6")]
    public async Task A_ledger_that_somebody_changed_fails_and_says_where(string change, string expected)
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        var path = folder.File("out/ledger.jsonl");
        var lines = File.ReadAllLines(path);
        File.WriteAllLines(path, change switch
        {
            "swap" => [.. lines[..3], lines[4], lines[3], .. lines[5..]],
            "drop" => [.. lines[..3], .. lines[4..]],
            "repeat" => [.. lines[..4], lines[3], .. lines[4..]],
            "garble" => [.. lines[..3], lines[3][..40], .. lines[4..]],
            _ => lines[..4],
        });
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal(1, exitCode);
        Assert.Contains(expected, errors);
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
        Assert.EndsWith("NOT verified\n", output);
    }

    [Fact]
    public async Task A_run_in_its_first_epoch_is_verified_as_far_as_it_went()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        Directory.Delete(folder.File("out/checkpoints"), recursive: true);
        var path = folder.File("out/ledger.jsonl");
        File.WriteAllText(path, string.Join('\n', File.ReadAllLines(path)[..4])[..^9]);
        var (exitCode, output, _) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal(0, exitCode);
        Assert.Contains("ledger       2 of 6 steps", output);
        Assert.Contains("note         the last line was cut off by a crash", output);
        Assert.Contains("1             16        12         4         0  (in part)\n", output);
        Assert.EndsWith("verified     no training record more than once so far; no epoch is complete\n", output);
    }

    [Fact]
    public async Task Settings_and_checkpoints_that_are_not_the_ledgers_fail()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        var run = folder.File("out/run.json");
        var settings = File.ReadAllText(run);
        File.WriteAllText(run, settings.Replace("\"seed\": 9", "\"seed\": 10"));
        var (exitCode, _, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal(1, exitCode);
        Assert.Contains("ledger.jsonl is of a run with 'seed=9'; expected 'seed=10'.", errors);

        File.WriteAllText(run, settings);
        var manifest = folder.File("out/checkpoints/genslm-01-1.00/manifest.json");
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace("\"step\": 6", "\"step\": 5"));
        (exitCode, _, errors) = await CapturedConsole.RunAsync("verify", folder.File("out"));
        Assert.Equal(1, exitCode);
        Assert.Contains("The checkpoint genslm-01-1.00 has the ledger head", errors);
        Assert.Contains("at step 5;", errors);
    }

    [Fact]
    public async Task Data_that_are_not_the_runs_are_refused_and_data_that_moved_are_named()
    {
        using var folder = new TemporaryFolder();
        WriteRun(folder);
        var data = folder.File("data.fasta");
        File.Move(data, folder.File("moved.fasta"));
        await AssertRefusedAsync("data.fasta does not exist; expected a FASTA or HDF5 file.", "verify", folder.File("out"));
        Assert.Equal(0, (await CapturedConsole.RunAsync("verify", folder.File("out"), "--data", folder.File("moved.fasta"))).ExitCode);
        File.WriteAllText(data, File.ReadAllText(folder.File("moved.fasta")).Replace("ATGGCC", "ATGGCA"));
        await AssertRefusedAsync("data.fasta is not the run's data: its hash is ", "verify", folder.File("out"));
    }

    [Fact]
    public async Task Bad_input_is_a_sentence()
    {
        using var folder = new TemporaryFolder();
        await AssertRefusedAsync("Required argument missing for command: 'verify'.", "verify");
        await AssertRefusedAsync("holds no run: there is no run.json in it.", "verify", folder.Path);
        WriteRun(folder);
        var output = folder.File("out");
        await AssertRefusedAsync("-o is 'yaml'; expected one of table, json.", "verify", output, "-o", "yaml");
        await AssertRefusedAsync("Unknown option --jason; did you mean --json?", "verify", output, "--jason");
        var run = folder.File("out/run.json");
        var settings = File.ReadAllText(run);
        File.WriteAllText(run, settings.Replace("dataHash", "hash"));
        await AssertRefusedAsync("run.json does not say which data the run began with", "verify", output);
        File.WriteAllText(run, settings.Replace("\"shards\": 3", "\"shards\": 0"));
        await AssertRefusedAsync("run.json is damaged: shards is 0; it must be at least 1.", "verify", output);
        File.WriteAllText(run, settings);
        File.WriteAllText(folder.File("out/checkpoints/genslm-01-1.00/manifest.json"), "{");
        await AssertRefusedAsync("manifest.json is not a checkpoint manifest", "verify", output);
        File.Delete(folder.File("out/ledger.jsonl"));
        await AssertRefusedAsync("holds no ledger.jsonl", "verify", output);
    }

    private static async Task AssertRefusedAsync(string expected, params string[] arguments)
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync(arguments);
        Assert.Contains(expected, errors);
        Assert.Equal((2, ""), (exitCode, output));
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
    }

    /// <summary>What a run leaves, except for weights; <paramref name="fed"/> says what its shards really computed.</summary>
    private static void WriteRun(TemporaryFolder folder, Func<long, int, int[], int[]>? fed = null, RunSpec? spec = null)
    {
        spec ??= Spec;
        static int Codons(RunSpec spec, int record) => spec.BucketByLength ? 2 + (record * 5 % 7) : 2;
        var data = folder.File("data.fasta", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 20).Select(i => $">r{i}\nATG{string.Concat(Enumerable.Repeat("GCC", Codons(spec, i) - 1))}\n"))));
        var output = Directory.CreateDirectory(folder.File("out")).FullName;
        var fingerprint = DataFingerprint.Of(DataSources.Of(data));
        var run = JsonSerializer.SerializeToNode(spec with { Data = data, Output = output }, RunSpec.JsonOptions)!.AsObject();
        run["resolved"] = new JsonObject { ["runId"] = "out", ["dataHash"] = fingerprint.Hash, ["modelConfig"] = JsonNode.Parse((ModelPresets.Find("tiny")! with { MaximumPositions = 5 }).ToJson()) };
        File.WriteAllText(Path.Combine(output, "run.json"), run.ToJsonString(RunSpec.JsonOptions));

        var order = new DataOrder(
            fingerprint.Sets, spec.ValFraction, spec.Seed, spec.Shuffle, spec.Shards, spec.BatchSize, spec.AccumulationSteps,
            spec.BucketByLength ? [.. Enumerable.Range(0, 20).Select(i => Math.Min(5, Codons(spec, i)))] : default);
        var identity = new LedgerIdentity
        {
            DataHash = fingerprint.Hash,
            Records = fingerprint.Sets.Main,
            Seed = spec.Seed,
            ValFraction = spec.ValFraction,
            Shuffle = spec.Shuffle,
            Shards = spec.Shards,
            BatchSize = spec.BatchSize,
            AccumulationSteps = spec.AccumulationSteps,
            Lengths = order.Buckets?.LengthsHash,
        };
        var records = new StepRecords(order);
        var ledger = LedgerFile.Open(Path.Combine(output, LedgerFile.FileName), identity, 0, head: null);
        for (long step = 1; step <= Steps; step++)
        {
            var digests = Enumerable.Range(0, spec.Shards)
                .Select(shard => (Shard: shard, Records: records.Window(step, shard).ToArray()))
                .Select(window => StepDigest.OfShard(fed is null ? window.Records : fed(step, window.Shard, window.Records)));
            ledger.Append(step, order.Windows.Locate(step).Epoch, [.. digests]);
        }

        var checkpoint = Directory.CreateDirectory(Path.Combine(output, "checkpoints", "genslm-01-1.00")).FullName;
        using var stream = File.Create(Path.Combine(checkpoint, CheckpointManifest.FileName));
        new CheckpointManifest { RunId = "out", Step = Steps, LedgerHead = ledger.Head, Progress = JsonDocument.Parse("{}").RootElement }.Write(stream);
    }
}
