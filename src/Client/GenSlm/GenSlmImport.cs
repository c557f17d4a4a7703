using System.Globalization;
using System.Numerics;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>
/// Turns GenSLM's training YAML (ModelSettings in its config.py) into a run file. What a key becomes follows from what
/// GenSLM's training (model.py, on PyTorch Lightning and DeepSpeed) does with it; a key that is absent has GenSLM's
/// default, not ours.
/// </summary>
internal sealed class GenSlmImport
{
    private readonly GenSlmConfig _config;
    private readonly ImportedPaths _paths;
    private readonly RunFileDraft _draft;

    private GenSlmImport(string path)
    {
        _config = GenSlmConfig.Read(path);
        _paths = new ImportedPaths(path);
        _draft = new RunFileDraft(_config, path);
    }

    /// <summary>Reads the YAML at <paramref name="path"/>.</summary>
    /// <param name="path">GenSLM's YAML.</param>
    /// <param name="gpusPerNode">How many GPUs each of its nodes has; null: not known.</param>
    /// <exception cref="UsageException">The file is no YAML of GenSLM's training, or has a value that GenSLM could not train with.</exception>
    public static ImportedConfig Read(string path, int? gpusPerNode)
    {
        var import = new GenSlmImport(path);
        import.CarryData();
        import.CarryModel();
        import.CarryWeights();
        import.CarrySteps();
        import.CarryShards(gpusPerNode);
        import.CarryPrecision();
        ValidationImport.Carry(import._config, import._draft);
        ScheduleImport.Carry(import._config, import._draft);
        import.CarryCheckpoints();
        import.AddHabits();
        return import._draft.Complete();
    }

    private void CarryData()
    {
        _paths.Carry(_draft, "train_file", "data", _config.RequiredPath("train_file"));
        CarrySet("val_file", "valData");
        CarrySet("test_file", "testData");
    }

    private void CarrySet(string theirs, string ours)
    {
        if (_config.Text(theirs) is { Length: > 0 } path) _paths.Carry(_draft, theirs, ours, path);
    }

    private void CarryModel()
    {
        const string Model = "model_config_json", Tokenizer = "tokenizer_file", Block = "block_size";
        var path = _config.RequiredPath(Model);
        var file = _paths.Existing(path);
        if (file is null && PublishedModel.Preset(path) is { } preset)
        {
            _draft.Carry(Model, "model", preset, "the file is not here; GenSLM publishes one of that name, and the preset is the same");
        }
        else
        {
            _paths.Carry(_draft, Model, "model", path);
            if (file is not null && PublishedModel.Problem(file) is { } problem) _draft.Note(ImportOutcome.NotFound, Model, $"training will refuse it: {problem}", "model");
        }

        if (_config.Text(Tokenizer) is { } tokenizer)
        {
            bool builtIn = Path.GetFileName(tokenizer) == "codon_wordlevel_69vocab.json";
            _draft.Note(builtIn ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, Tokenizer, builtIn
                ? "this vocabulary of 69 words is built in"
                : "the vocabulary is GenSLM's codon_wordlevel_69vocab.json, always; another one makes other tokens of the same sequence");
        }

        // Absent, it stays at the model's positions: GenSLM trains on the rows of its HDF5 files, however long they are.
        if (_config.Has(Block)) Carry(Block, "seqLength", _config.Whole(Block, 512, 2), "GenSLM trains on the rows of its HDF5 files, however long; here records are cut to this many tokens and padded to it");
    }

    private void CarryWeights()
    {
        const string Pt = "load_pt_checkpoint", DeepSpeed = "load_ds_checkpoint";
        bool both = false;
        if (_config.Text(Pt) is { Length: > 0 } pt)
        {
            _paths.Carry(_draft, Pt, "weights", pt, "GenSLM computes with the rotary frequencies that the file stores; so does the run with rotaryFromCheckpoint: true, otherwise they are exact");
            both = true;
        }

        if (_config.Text(DeepSpeed) is not { Length: > 0 } folder) return;
        if (both)
        {
            _draft.Note(ImportOutcome.LeftOut, DeepSpeed, "GenSLM takes load_pt_checkpoint when both are there, and so does the run file");
            return;
        }

        // LoadDeepSpeedStrategy of GenSLM's utils.py writes this file beside the folder, then loads it.
        _paths.Carry(
            _draft, DeepSpeed, "weights", Path.ChangeExtension(Path.TrimEndingDirectorySeparator(folder), ".pt"),
            "DeepSpeed's folder of parts is not read; this is the file that GenSLM makes of it when it loads it, as does zero_to_fp32.py in the folder");
    }

    private void CarrySteps()
    {
        Carry("batch_size", "batchSize", _config.Whole("batch_size", 8, 1));
        int window = _config.Whole("accumulate_grad_batches", 1, 1);
        Carry("accumulate_grad_batches", "accumulationSteps", window, window == 1 ? "" : "an epoch's last window ends with the epoch; DeepSpeed fills it from the next");
        Carry("learning_rate", "learningRate", _config.Number("learning_rate", 5e-5));
        Carry("epochs", "epochs", _config.Whole("epochs", 5, 1));
        long steps = _config.Whole("max_steps", -1L, -1);
        if (steps == 0) throw _config.Refused("max_steps", "0, with which GenSLM does not train; expected -1 or at least 1");
        Carry("max_steps", "maxSteps", Math.Max(0, steps));
        Carry("gradient_clip_value", "gradientClip", _config.Number("gradient_clip_value", 0));
        Carry("random_seed", "seed", _config.Whole("random_seed", 0UL, 0UL), _config.Has("random_seed") ? "the generator is another: not the same order of records, nor the same first weights" : "");
    }

    private void CarryShards(int? gpusPerNode)
    {
        long shards = _config.Whole("num_nodes", 1L, 1) * (gpusPerNode ?? 1);
        if (shards > int.MaxValue) throw _config.Refused("num_nodes", $"{shards / gpusPerNode ?? 1}; that makes too many shards");
        Carry("num_nodes", "shards", shards, gpusPerNode is null
            ? "a shard is what a GPU is to GenSLM, which takes all of every node and does not say how many they are; --gpus-per-node N multiplies"
            : $"GPUs, {gpusPerNode} on each node");
    }

    private void CarryPrecision()
    {
        var found = _config.Text("precision") ?? "16";
        var (ours, change) = found switch
        {
            "16" or "16-mixed" => ("bf16", "fp16 with scaled losses becomes bfloat16, which needs no scaling; the weights that are updated are fp32 in both"),
            "bf16" or "bf16-mixed" => ("bf16", ""),
            "32" or "32-true" => ("fp32", ""),
            "64" or "64-true" => ("fp32", "there is no double precision"),
            _ => throw _config.Refused("precision", $"{GenSlmConfig.Shown(_config.Find("precision")!)}; expected 16, bf16, 32 or 64"),
        };
        _draft.Carry("precision", "precision", ours, change);
    }

    private void CarryCheckpoints()
    {
        const string Folder = "checkpoint_dir";
        if (_config.Find(Folder) is { IsNull: true })
        {
            _draft.Note(ImportOutcome.LeftOut, Folder, "GenSLM keeps no checkpoints then; a run always has an output folder, by default runs/<name of the data>");
            return;
        }

        _draft.Carry(Folder, "output", _config.Text(Folder) is { Length: > 0 } folder ? folder : "codon_transformer");
        _draft.Add("keepBest", "3", "the three checkpoints with the lowest validation loss are kept, besides the last");
        _draft.Add("checkpointName", "model", "checkpoints are called model-…");
    }

    private void AddHabits()
    {
        _draft.Add("gradientScaling", "accumulation-steps", "each micro-batch's mean loss is divided by accumulate_grad_batches; tokens, the default, makes one big batch of them");
        _draft.Add("padTokens", "count", "the labels are the input ids, padding included; ignore, the default, leaves padding out of the loss");
        _draft.Add("padding", "max_length", "so that as much padding is counted; with padTokens ignore, longest is the same and faster");
    }

    private void Carry<T>(string theirs, string ours, T value, string change = "")
        where T : INumber<T> => _draft.Carry(theirs, ours, value.ToString(null, CultureInfo.InvariantCulture), change);
}
