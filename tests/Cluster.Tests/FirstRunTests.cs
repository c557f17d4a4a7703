using System.Diagnostics;
using System.Text.Json;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What a user sees who trains for the first time.</summary>
public sealed class FirstRunTests
{
    [Fact]
    public async Task Training_on_the_sample_lowers_the_validation_loss_and_exports_weights_that_PyTorch_loads()
    {
        using var folder = new TemporaryFolder();
        var output = folder.File("run");
        var summary = await GenSlmConsole.TrainAsync(GenSlmConsole.Sample, "--output", output, "--learning-rate", "3e-3", "--epochs", "3", "--val-every", "6");

        var metrics = File.ReadLines(Path.Combine(output, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        var steps = metrics.Where(line => line.GetProperty("kind").GetString() == "step").ToArray();
        var losses = metrics.Where(line => line.GetProperty("kind").GetString() == "validation").Select(line => line.GetProperty("valLoss").GetDouble()).ToArray();
        Assert.Equal(Enumerable.Range(1, 24), steps.Select(line => line.GetProperty("step").GetInt32()));
        Assert.All(steps, line => Assert.Equal(
            ["kind", "step", "epoch", "trainLoss", "tokens", "learningRate", "gradientNorm", "seconds", "otherSeconds"], line.EnumerateObject().Select(property => property.Name)));
        Assert.Equal(4, losses.Length);
        Assert.True(losses[^1] < losses[0] - 0.3, $"validation losses were {string.Join(", ", losses)}");
        Assert.Equal(losses.Min(), summary.GetProperty("bestValLoss").GetDouble());

        var checkpoint = summary.GetProperty("bestCheckpoint").GetString()!;
        Assert.Matches(@"genslm-02-\d\.\d\d$", checkpoint);
        Assert.Equal([checkpoint], Directory.GetDirectories(Path.Combine(output, "checkpoints")));
        Assert.Equal(summary.GetProperty("weightsSha256").GetString(), CheckpointManifest.Read(checkpoint).WeightsSha256);

        var exported = summary.GetProperty("exported").GetString()!;
        Assert.Equal(Path.Combine(output, "best_model_state_dict.pth"), exported);
        using (var weights = WeightFile.Open(exported))
        {
            var expected = GptNeoXStateDict.Describe(ModelPresets.Find("tiny")!);
            Assert.Equal(expected.Select(tensor => "model." + tensor.Name), weights.Tensors.Select(tensor => tensor.Name));
        }

        await AssertPyTorchLoads(exported);
    }

    [Fact]
    public async Task Every_training_command_of_the_README_is_understood()
    {
        var commands = File.ReadLines(Path.Combine(GenSlmConsole.Root, "README.md"))
            .Where(line => line.StartsWith("    ", StringComparison.Ordinal) && line.Contains("./genslm train ")).ToArray();
        Assert.InRange(commands.Length, 4, 20);
        foreach (var command in commands)
        {
            var arguments = command[(command.IndexOf("./genslm", StringComparison.Ordinal) + "./genslm ".Length)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var result = await GenSlmConsole.RunAsync([.. arguments, "--print-config"]);
            Assert.True(result.ExitCode == 0, $"{command.Trim()}: {result.Errors}");
            Assert.True(arguments.Contains("--help") || result.Output.Contains("data: samples/influenza.fasta"), $"{command.Trim()} does not train on the sample");
        }
    }

    [Fact]
    public async Task Records_longer_than_the_sequence_length_are_cut_and_counted()
    {
        using var folder = new TemporaryFolder();
        var result = await GenSlmConsole.RunAsync("train", GenSlmConsole.Sample, "--seq-length", "100", "--max-steps", "1", "--output", folder.File("run"), "--json");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("warning: 200 of 200 records are longer than 100 tokens and are truncated.", result.Errors);
        Assert.Equal(20 * 100, result.Json.GetProperty("tokens").GetInt64());
    }

    [Fact]
    public async Task The_same_run_from_its_own_run_file_has_the_same_bits_and_another_seed_has_others()
    {
        using var folder = new TemporaryFolder();
        string[] settings = [GenSlmConsole.Sample, "--max-steps", "3", "--learning-rate", "1e-3", "--key-prefix", ""];
        var first = await GenSlmConsole.TrainAsync([.. settings, "--output", folder.File("first")]);
        var again = await GenSlmConsole.TrainAsync("--config", folder.File("first/run.json"), "--output", folder.File("again"));
        var other = await GenSlmConsole.TrainAsync([.. settings, "--output", folder.File("other"), "--seed", "43"]);
        Assert.Equal(Hash(first), Hash(again));
        Assert.NotEqual(Hash(first), Hash(other));
        Assert.Equal(File.ReadAllBytes(folder.File("first/best_model_state_dict.pth")), File.ReadAllBytes(folder.File("again/best_model_state_dict.pth")));
        using var weights = WeightFile.Open(folder.File("first/best_model_state_dict.pth"));
        Assert.Equal("gpt_neox.embed_in.weight", weights.Tensors[0].Name);
    }

    [Fact]
    public async Task Training_goes_on_from_exported_weights()
    {
        using var folder = new TemporaryFolder();
        var first = await GenSlmConsole.TrainAsync(GenSlmConsole.Sample, "--max-steps", "6", "--learning-rate", "3e-3", "--output", folder.File("first"));
        var second = await GenSlmConsole.TrainAsync(
            GenSlmConsole.Sample, "--max-steps", "1", "--learning-rate", "1e-9", "--output", folder.File("second"), "--weights", folder.File("first/best_model_state_dict.pth"));
        Assert.Equal(first.GetProperty("bestValLoss").GetDouble(), second.GetProperty("bestValLoss").GetDouble(), 1e-4);
    }

    [Fact]
    public async Task Without_validation_data_the_last_steps_weights_are_exported()
    {
        using var folder = new TemporaryFolder();
        var summary = await GenSlmConsole.TrainAsync(GenSlmConsole.Sample, "--max-steps", "2", "--val-fraction", "0", "--output", folder.File("run"));
        Assert.Equal(JsonValueKind.Null, summary.GetProperty("bestValLoss").ValueKind);
        Assert.Equal(["genslm-00-step2"], Directory.GetDirectories(folder.File("run/checkpoints")).Select(Path.GetFileName));
        Assert.True(File.Exists(folder.File("run/best_model_state_dict.pth")));
    }

    [Fact]
    public async Task Bf16_trains_to_nearly_the_same_validation_loss()
    {
        using var folder = new TemporaryFolder();
        string[] settings = [GenSlmConsole.Sample, "--learning-rate", "3e-3", "--max-steps", "24"];
        var exact = await GenSlmConsole.TrainAsync([.. settings, "--output", folder.File("fp32")]);
        var rounded = await GenSlmConsole.TrainAsync([.. settings, "--output", folder.File("bf16"), "--precision", "bf16"]);
        double expected = exact.GetProperty("bestValLoss").GetDouble();
        Assert.Equal(expected, rounded.GetProperty("bestValLoss").GetDouble(), 0.01 * expected);
        Assert.NotEqual(Hash(exact), Hash(rounded));
    }

    [Fact]
    public async Task The_best_checkpoints_are_kept_and_patience_ends_a_run_that_no_longer_improves()
    {
        using var folder = new TemporaryFolder();
        // At this rate training falls apart after a few steps.
        var summary = await GenSlmConsole.TrainAsync(
            GenSlmConsole.Sample, "--learning-rate", "0.3", "--max-steps", "60", "--val-every", "1", "--limit-val-batches", "4", "--keep-best", "2",
            "--early-stopping-patience", "3", "--checkpoint-name", "flu", "--output", folder.File("run"));
        Assert.InRange(summary.GetProperty("steps").GetInt32(), 4, 59);
        var losses = File.ReadLines(folder.File("run/metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.GetProperty("kind").GetString() == "validation").Select(line => line.GetProperty("valLoss").GetDouble()).ToArray();
        Assert.Equal(losses.Length - 1 - 3, Array.IndexOf(losses, losses.Min()));
        var kept = Directory.GetDirectories(folder.File("run/checkpoints")).Select(CheckpointManifest.Read).ToArray();
        Assert.Equal(losses.Order().Take(2).Append(losses[^1]).Order(), kept.Select(manifest => manifest.ValidationLoss!.Value).Order());
        Assert.All(Directory.GetDirectories(folder.File("run/checkpoints")), path => Assert.StartsWith("flu-", Path.GetFileName(path)));
    }

    private static string? Hash(JsonElement summary) => summary.GetProperty("weightsSha256").GetString();

    private static async Task AssertPyTorchLoads(string path)
    {
        foreach (var python in (string[])["/usr/bin/python3", "python3"])
        {
            const string Script = "import sys, torch\nfor kw in ({}, {'weights_only': True}):\n d = torch.load(sys.argv[1], **kw)\n print(type(d).__name__, len(d), sum(v.numel() for v in d.values()))";
            ProcessStartInfo start = new(python) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
            foreach (var argument in (string[])["-c", Script, path]) start.ArgumentList.Add(argument);
            if (python.StartsWith('/') && !File.Exists(python)) continue;
            using var process = Process.Start(start)!;
            var text = await process.StandardOutput.ReadToEndAsync();
            var errors = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (errors.Contains("No module named 'torch'")) continue;
            Assert.Equal("OrderedDict 28 108928\nOrderedDict 28 108928\n", text);
            return;
        }
    }
}
