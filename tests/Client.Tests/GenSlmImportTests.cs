using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.GenSlm;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary>GenSLM's training YAML → a run file, read back as 'train --config' reads it.</summary>
public sealed class GenSlmImportTests : IDisposable
{
    private const string Required = "train_file: train.h5\nmodel_config_json: neox_25,290,752.json\n";

    private readonly TemporaryFolder _folder = new();
    private readonly CurrentFolder _current;

    public GenSlmImportTests() => _current = new CurrentFolder(_folder.Path);

    public void Dispose()
    {
        _current.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_fine_tuning_configuration_becomes_the_same_training_here()
    {
        var (spec, errors) = await ImportAsync("""
            checkpoint_dir: runs/first_year
            load_pt_checkpoint: weights/25m.pt
            num_nodes: 4
            val_check_interval: null
            limit_val_batches: 32
            check_val_every_n_epoch: 2
            train_file: data/train.h5
            val_file: data/val.h5
            test_file: data/val.h5
            model_config_json: neox_25,290,752_10240_pos_embed.json
            batch_size: 1
            epochs: 100
            max_steps: 5000
            block_size: 1024
            accumulate_grad_batches: 16
            learning_rate: 5.0e-05
            gradient_clip_value: 0.5
            precision: 32
            random_seed: 7
            lr_cosine_with_warmup:
                num_warmup_steps: 1_000
                num_cycles: 0.5
            """, "--gpus-per-node", "2");
        var expected = new RunSpec
        {
            Data = "data/train.h5",
            Model = "neox_25,290,752_10240_pos_embed.json",
            Weights = "weights/25m.pt",
            Output = "runs/first_year",
            BatchSize = 1,
            AccumulationSteps = 16,
            LearningRate = 5e-5,
            Epochs = 100,
            MaxSteps = 5000,
            Shards = 8,
            SeqLength = 1024,
            Seed = 7,
            ValEvery = "2epoch",
            LimitValBatches = 256,
            Precision = Abstractions.Precision.Fp32,
            Padding = Padding.MaxLength,
            PadTokens = PadCounting.Count,
            GradientScaling = GradientScalingMode.AccumulationSteps,
            GradientClip = 0.5,
            Schedule = LearningRateScheduleKind.Cosine,
            WarmupSteps = 1000,
            KeepBest = 3,
            CheckpointName = "model",
            Threads = Environment.ProcessorCount,
        };
        Assert.Equal(expected, Without(spec, "valData", "testData"));
        Assert.Contains("line 7, train_file: data/train.h5, now data: data/train.h5 — there is no such file here, nor beside the YAML", errors);
        Assert.Contains("line 5, limit_val_batches: 32 becomes limitValBatches: 256", errors);
    }

    [Fact]
    public async Task A_key_that_is_absent_has_GenSLMs_default_not_ours()
    {
        var (spec, errors) = await ImportAsync(Required);
        Assert.Equal((8, 1, 5e-5, 5, 0L, 1), (spec.BatchSize, spec.AccumulationSteps, spec.LearningRate, spec.Epochs, spec.MaxSteps, spec.Shards));
        Assert.Equal((0UL, 0.0, "1epoch", 0, "codon_transformer"), (spec.Seed, spec.GradientClip, spec.ValEvery, spec.LimitValBatches, spec.Output));
        Assert.Equal(("genslm_25M_patric", "", 0, Abstractions.Precision.Bf16), (spec.Model, spec.Weights, spec.SeqLength, spec.Precision));
        Assert.Contains("precision (GenSLM's default) becomes precision: bf16 — ", errors);
    }

    [Fact]
    public async Task The_sample_is_imported_and_could_be_trained_at_once()
    {
        using var root = new CurrentFolder(CurrentFolder.Root);
        var run = _folder.File("run.yaml");
        var sample = Path.Combine("samples", "genslm-finetune.yaml");
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("config", "import", sample, "-o", run);
        Assert.Equal((0, ""), (exitCode, output));
        Assert.Contains($"Train with: genslm train --config {run}", errors);
        var settings = RunFile.Apply(new TrainSettings(), run);
        var submission = SubmissionCheck.Resolve(settings with { Spec = settings.Spec with { Output = _folder.File("out") } });
        Assert.Equal(HuggingFaceConfig.Parse(submission.ModelConfig), ModelPresets.Find("genslm_25M_patric"));
        Assert.Equal(("4", 32, LearningRateScheduleKind.Plateau), (submission.Spec.ValEvery, submission.Spec.LimitValBatches, submission.Spec.Schedule));

        // Every key is in the run file beside the value it became, or in the report.
        var keys = File.ReadLines(sample).Where(line => line.Contains(':') && !line.StartsWith('#')).Select(line => line.Split(':')[0].Trim()).ToArray();
        Assert.True(keys.Length > 40);
        Assert.All(keys, key => Assert.Contains(key, File.ReadAllText(run) + errors));
    }

    [Fact]
    public async Task All_keys_of_GenSLM_are_known_and_one_that_is_not_is_said()
    {
        static string Value(string key) => key switch
        {
            "warm_up_lr" or "lr_plateau" or "lr_cosine_with_warmup" => "{}",
            "num_nodes" or "val_check_interval" or "check_val_every_n_epoch" or "precision" or "random_seed" or "learning_rate" or "gradient_clip_value" or "epochs" or "max_steps" => "32",
            "batch_size" or "block_size" or "limit_val_batches" or "accumulate_grad_batches" => "32",
            _ => "x",
        };
        var (_, errors) = await ImportAsync(string.Concat(GenSlmKey.All.Select(key => $"{key}: {Value(key)}\n")) + "acumulate_grad_batches: 2\n");
        Assert.Equal(1, errors.Split("have no such key").Length - 1);
        Assert.Contains("acumulate_grad_batches: 2 — GenSLM's settings have no such key; did you mean 'accumulate_grad_batches'?", errors);
        Assert.Equal(GenSlmKey.All.Count(), GenSlmKey.All.Distinct().Count());
    }

    [Theory]
    [InlineData("warm_up_lr: {}", "schedule: linear", "warmupSteps: 50000", "becomes warmupSteps: 50000 — DeepSpeed's WarmupLR rises with the logarithm of the step")]
    [InlineData("warm_up_lr: {num_steps: 20, min_lr: 1e-7}", "schedule: linear", "warmupSteps: 20", "warm_up_lr.min_lr: 1e-7 — the rate rises from 0")]
    [InlineData("warm_up_lr: {num_stps: 20}", "schedule: linear", "warmupSteps: 50000", "GenSLM's warm_up_lr has no such key; did you mean 'num_steps'?")]
    [InlineData("lr_cosine_with_warmup: {num_cycles: 2}", "schedule: cosine", "warmupSteps: 150", "lr_cosine_with_warmup.num_cycles: 2 — the cosine is always half a cycle")]
    [InlineData("lr_plateau: {patience: 3}", "schedule: plateau", "", "lr_plateau.patience: 3 — it is always 10")]
    [InlineData("lr_plateau: {mode: max}", "schedule: plateau", "", "lr_plateau.mode: max — the rate falls when the validation loss has stopped falling")]
    [InlineData("lr_plateau: {}\nwarm_up_lr: {}", "schedule: linear", "", "lr_plateau: (a mapping) — GenSLM takes warm_up_lr when both are there")]
    [InlineData("val_check_interval: 100\naccumulate_grad_batches: 8", "valEvery: 13", "accumulationSteps: 8", "val_check_interval: 100 becomes valEvery: 13 — Lightning counts batches")]
    [InlineData("val_check_interval: 0.25\ncheck_val_every_n_epoch: 2", "valEvery: 2epoch", "", "val_check_interval: 0.25 becomes valEvery: 2epoch — a part of an epoch cannot be given")]
    [InlineData("val_check_interval: 5\ncheck_val_every_n_epoch: 2", "valEvery: 5", "", "Not carried over:\n  line 4, check_val_every_n_epoch: 2 — ")]
    [InlineData("limit_val_batches: 0", "valFraction: 0", "", "limit_val_batches: 0 becomes valFraction: 0 — ")]
    [InlineData("load_ds_checkpoint: ckpt/epoch00.ckpt/", "weights: ckpt/epoch00.pt", "", "becomes weights: ckpt/epoch00.pt — DeepSpeed's folder of parts is not read")]
    [InlineData("load_ds_checkpoint: a.ckpt\nload_pt_checkpoint: b.pt", "weights: b.pt", "", "load_ds_checkpoint: a.ckpt — GenSLM takes load_pt_checkpoint when both are there")]
    [InlineData("small_subset: 500", "batchSize: 8", "", "small_subset: 500 — all records are used")]
    [InlineData("kmer_size: 1", "batchSize: 8", "", "Not carried over:\n  line 3, kmer_size: 1 — tokens are codons")]
    [InlineData("tokenizer_file: x/codon_wordlevel_100vocab.json", "batchSize: 8", "", "Not carried over:\n  line 3, tokenizer_file: x/codon_wordlevel_100vocab.json — ")]
    [InlineData("checkpoint_dir: null", "batchSize: 8", "", "checkpoint_dir: null — GenSLM keeps no checkpoints then")]
    [InlineData("compute_throughput: true", "batchSize: 8", "", "compute_throughput: true — GenSLM would measure the throughput")]
    [InlineData("precision: 64", "precision: fp32", "", "precision: 64 becomes precision: fp32 — there is no double precision")]
    public async Task What_changes_or_cannot_be_carried_over_is_said(string keys, string line, string otherLine, string said)
    {
        var path = Write(Required + keys + "\n");
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("config", "import", path);
        Assert.Equal(0, exitCode);
        Assert.Contains($"\n{line}  # ", output);
        if (otherLine.Length > 0) Assert.Contains($"\n{otherLine}  # ", output);
        Assert.Contains(said, errors);
    }

    [Fact]
    public async Task A_path_is_taken_from_the_current_folder_or_from_beside_the_YAML()
    {
        var project = Directory.CreateDirectory(_folder.File("genslm")).FullName;
        File.WriteAllText(Path.Combine(project, "beside.fasta"), ">a\nATG\n");
        File.WriteAllText(Path.Combine(project, "model.json"), ModelPresets.Find("tiny")!.ToJson());
        File.WriteAllText(_folder.File("here.fasta"), ">a\nATG\n");
        var yaml = Path.Combine("genslm", "config.yaml");

        File.WriteAllText(yaml, "train_file: beside.fasta\nmodel_config_json: model.json\n");
        var import = GenSlmImport.Read(yaml, gpusPerNode: null);
        Assert.Equal((Path.Combine("genslm", "beside.fasta"), Path.Combine("genslm", "model.json")), (import.Settings.Spec.Data, import.Settings.Spec.Model));
        Assert.Contains(import.Notes, note => note is { Outcome: ImportOutcome.Changed, Key: "train_file" } && note.Reason.Contains("beside the YAML"));

        File.WriteAllText(yaml, $"train_file: here.fasta\nmodel_config_json: {Path.Combine(project, "model.json")}\n");
        import = GenSlmImport.Read(yaml, gpusPerNode: null);
        Assert.Equal(("here.fasta", Path.Combine(project, "model.json")), (import.Settings.Spec.Data, import.Settings.Spec.Model));
        Assert.DoesNotContain(import.Notes, note => note.Key is "train_file" or "model_config_json");

        // The run file lies elsewhere and still says what is there from here.
        Directory.CreateDirectory(_folder.File("out"));
        Assert.Equal(0, (await CapturedConsole.RunAsync("config", "import", yaml, "-o", "out/run.yaml")).ExitCode);
        Assert.True(File.Exists(RunFile.Apply(new TrainSettings(), "out/run.yaml").Spec.Data));
        Assert.StartsWith("# yaml-language-server: $schema=../", File.ReadAllText("out/run.yaml"));
    }

    [Fact]
    public async Task A_model_that_is_no_gpt_neox_is_said_before_training_refuses_it()
    {
        await File.WriteAllTextAsync(_folder.File("gpt2.json"), """{"model_type": "gpt2"}""", TestContext.Current.CancellationToken);
        var (spec, errors) = await ImportAsync("train_file: train.h5\nmodel_config_json: gpt2.json\n");
        Assert.Equal("gpt2.json", spec.Model);
        Assert.Contains("training will refuse it: gpt2.json: model_type is 'gpt2'; 'gpt_neox' is expected", errors);
    }

    [Theory]
    [InlineData("a: [1\n", "line 2: ")]
    [InlineData("batch_size: 8\nbatch_size: 9\n", "line 2: Duplicate key batch_size")]
    [InlineData("just words\n", " is not a mapping; expected lines such as 'batch_size: 8'.")]
    [InlineData("batch_size: 8\n", " has no train_file, which GenSLM requires")]
    [InlineData("train_file: x.h5\n", " has no model_config_json, which GenSLM requires")]
    [InlineData(Required + "batch_size: many\n", " line 3: batch_size is many; expected a whole number.")]
    [InlineData(Required + "batch_size: null\n", " line 3: batch_size is null; expected a whole number.")]
    [InlineData(Required + "batch_size: [1, 2]\n", " line 3: batch_size is a list or a mapping; expected one value.")]
    [InlineData(Required + "epochs: 0\n", " line 3: epochs is 0; expected at least 1.")]
    [InlineData(Required + "max_steps: 0\n", " line 3: max_steps is 0, with which GenSLM does not train; expected -1 or at least 1.")]
    [InlineData(Required + "learning_rate: fast\n", " line 3: learning_rate is fast; expected a number.")]
    [InlineData(Required + "learning_rate: -1\n", " makes no run file that can train: learningRate is -1; it must be above 0.")]
    [InlineData(Required + "precision: 8\n", " line 3: precision is 8; expected 16, bf16, 32 or 64.")]
    [InlineData(Required + "warm_up_lr: 5\n", " line 3: warm_up_lr is 5; expected a mapping or null.")]
    [InlineData(Required + "warm_up_lr:\n  num_steps: soon\n", " line 4: warm_up_lr.num_steps is soon; expected a whole number.")]
    public async Task A_bad_configuration_is_one_sentence_and_nothing_is_written(string content, string expected)
    {
        var path = Write(content);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("config", "import", path, "-o", "run.yaml");
        Assert.Equal((2, ""), (exitCode, output));
        Assert.Contains(path + (expected[0] == ' ' ? "" : " ") + expected, errors);
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task An_output_that_exists_is_replaced_only_when_told()
    {
        var path = Write(Required);
        await File.WriteAllTextAsync(_folder.File("run.yaml"), "mine", TestContext.Current.CancellationToken);
        Assert.Contains("The output run.yaml exists; choose another, or replace it with --force.", (await CapturedConsole.RunAsync("config", "import", path, "-o", "run.yaml")).Errors);
        Assert.Equal("mine", File.ReadAllText("run.yaml"));
        Assert.Equal(0, (await CapturedConsole.RunAsync("config", "import", path, "-o", "run.yaml", "--force")).ExitCode);
        Assert.Equal("train.h5", RunFile.Apply(new TrainSettings(), "run.yaml").Spec.Data);
        Assert.Contains("is the file that is imported", (await CapturedConsole.RunAsync("config", "import", path, "-o", path, "--force")).Errors);
        Assert.Contains("there is no folder", (await CapturedConsole.RunAsync("config", "import", path, "-o", "nowhere/run.yaml")).Errors);
        Assert.Contains("gpus-per-node is 0; it must be at least 1.", (await CapturedConsole.RunAsync("config", "import", path, "--gpus-per-node", "0")).Errors);
    }

    [Theory]
    [InlineData("genslm config needs to know what; expected 'genslm config import' or 'genslm config schema'.", "config")]
    [InlineData("Unknown command 'imprt'; did you mean 'genslm config import'?", "config", "imprt")]
    [InlineData("Unknown option --otput; did you mean --output? 'genslm config import --help' lists them all.", "config", "import", "x.yaml", "--otput", "y")]
    public async Task A_mistyped_command_of_two_words_is_one_sentence(string expected, params string[] arguments) =>
        Assert.Equal((2, "", expected + "\n"), await CapturedConsole.RunAsync(arguments));

    private string Write(string content)
    {
        var path = _folder.File("genslm.yaml");
        File.WriteAllText(path, content);
        return path;
    }

    private async Task<(RunSpec Spec, string Errors)> ImportAsync(string content, params string[] options)
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync(["config", "import", Write(content), .. options]);
        Assert.Equal(0, exitCode);
        var run = _folder.File("imported.yaml");
        await File.WriteAllTextAsync(run, output, TestContext.Current.CancellationToken);
        return (RunFile.Apply(new TrainSettings(), run).Spec, errors);
    }

    private static RunSpec Without(RunSpec spec, params string[] keys) => keys
        .Aggregate(new TrainSettings { Spec = spec }, (settings, key) => RunOptions.Find(key, "the test").Set(settings, "")).Spec;
}
