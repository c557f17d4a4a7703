using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>Every setting of a run, once: the console's options, the run file's keys and the help come from here.</summary>
internal static class RunOptions
{
    public static ImmutableArray<RunOption> All { get; } =
    [
        RunOption.Files("data", "FILE", "FASTA, plain or gzipped, or GenSLM's HDF5; several, and patterns such as 'seqs/*.fasta' (on the console: the arguments)", (spec, text) => spec with { Data = text }, spec => spec.Data),
        RunOption.Text("model", "NAME|PATH", "preset (tiny, genslm_25M_patric, genslm_250M_patric, genslm_2.5B_patric) or a Hugging Face config.json", (spec, text) => spec with { Model = text }, spec => spec.Model),
        RunOption.Text("weights", "PATH", "weights to start from: safetensors, PyTorch or a Hugging Face folder; default: from scratch", (spec, text) => spec with { Weights = text }, spec => spec.Weights),
        RunOption.Flag("rotaryFromCheckpoint", "compute with the rotary frequencies that the weights' file stores, as GenSLM's own installation does", (spec, value) => spec with { RotaryFromCheckpoint = value }, spec => spec.RotaryFromCheckpoint),
        RunOption.Text("output", "FOLDER", "where checkpoints, metrics and weights go; default: runs/<name of the first data file>", (spec, text) => spec with { Output = text }, spec => spec.Output),
        RunOption.Number("batchSize", "records of a micro-batch", (spec, value) => spec with { BatchSize = value }, spec => spec.BatchSize),
        RunOption.Number("accumulationSteps", "micro-batches of each shard between two optimizer steps", (spec, value) => spec with { AccumulationSteps = value }, spec => spec.AccumulationSteps),
        RunOption.Number("learningRate", "learning rate", (spec, value) => spec with { LearningRate = value }, spec => spec.LearningRate),
        RunOption.Number("epochs", "passes over the training records", (spec, value) => spec with { Epochs = value }, spec => spec.Epochs),
        RunOption.Number("maxSteps", "stop after so many optimizer steps; 0: when the epochs are done", (spec, value) => spec with { MaxSteps = value }, spec => spec.MaxSteps),
        RunOption.Number("shards", "data shards; part of the run, whatever the cluster", (spec, value) => spec with { Shards = value }, spec => spec.Shards),
        new("silos", "N", "local silo processes to start", (settings, text) => settings with { Silos = RunOption.ParseNumber<int>("silos", text) }, settings => $"{settings.Silos}") { Kind = ValueKind.WholeNumber },
        RunOption.Number("seqLength", "tokens a record is cut to; 0: the model's positions", (spec, value) => spec with { SeqLength = value }, spec => spec.SeqLength),
        RunOption.Number("seed", "decides split, order and initial weights", (spec, value) => spec with { Seed = value }, spec => spec.Seed),
        RunOption.Number("valFraction", "share of the records set aside for validation, without valData", (spec, value) => spec with { ValFraction = value }, spec => spec.ValFraction),
        RunOption.Files("valData", "FILE", "validation set, as data; all of data is then for training", (spec, text) => spec with { ValData = text }, spec => spec.ValData),
        RunOption.Files("testData", "FILE", "test set, as data; the loss of the best weights on it is in the summary", (spec, text) => spec with { TestData = text }, spec => spec.TestData),
        RunOption.Choice("frame", "where codons begin: at the first letter as GenSLM (start, 0), the second (1), the third (2), or the longest open reading frame alone (orf)", (spec, value) => spec with { Frame = value }, spec => spec.Frame),
        RunOption.Flag("stripGaps", "leave the gaps ('-') of an alignment out, before frame", (spec, value) => spec with { StripGaps = value }, spec => spec.StripGaps),
        RunOption.Text("valEvery", "N|Nepochs", "validate every N steps ('50') or epochs ('1epoch')", (spec, text) => spec with { ValEvery = text }, spec => spec.ValEvery) with { Kind = ValueKind.Interval },
        RunOption.Number("limitValBatches", "validate on the first so many batches; 0: all", (spec, value) => spec with { LimitValBatches = value }, spec => spec.LimitValBatches),
        RunOption.Number("valBatchSize", "records of a batch of validation or test; 0: batchSize", (spec, value) => spec with { ValBatchSize = value }, spec => spec.ValBatchSize),
        RunOption.Text("shuffle", "true|false", "draw a new order of the records every epoch", (spec, text) => spec with { Shuffle = RunOption.ParseFlag("shuffle", text) }, spec => RunOption.FlagText(spec.Shuffle)) with { Kind = ValueKind.Flag },
        RunOption.Text("bucketByLength", "true|false", "put records of similar length into the same micro-batch, so that less is padded", (spec, text) => spec with { BucketByLength = RunOption.ParseFlag("bucketByLength", text) }, spec => RunOption.FlagText(spec.BucketByLength)) with { Kind = ValueKind.Flag },
        RunOption.Choice("precision", "what forward and backward compute in; master weights are fp32", (spec, value) => spec with { Precision = value }, spec => spec.Precision),
        RunOption.Choice("padding", "pad a micro-batch to its longest record, or to seqLength as the Python script", (spec, value) => spec with { Padding = value }, spec => spec.Padding),
        RunOption.Text("keyPrefix", "TEXT", "in front of Hugging Face's names in the exported file", (spec, text) => spec with { KeyPrefix = text }, spec => spec.KeyPrefix),
        RunOption.Choice("padTokens", "leave padding out of the loss, or count it as GenSLM's forward does", (spec, value) => spec with { PadTokens = value }, spec => spec.PadTokens),
        RunOption.Choice("gradientScaling", "how a window's gradients become one", (spec, value) => spec with { GradientScaling = value }, spec => spec.GradientScaling),
        RunOption.Choice("exchange", "what sums of gradients are rounded to wherever they are added, and cross the network in; fp32: not at all", (spec, value) => spec with { Exchange = value }, spec => spec.Exchange),
        RunOption.Number("gradientClip", "largest global gradient norm; 0: off", (spec, value) => spec with { GradientClip = value }, spec => spec.GradientClip),
        RunOption.Choice("optimizer", "torch.optim.Adam or AdamW", (spec, value) => spec with { Optimizer = value }, spec => spec.Optimizer),
        RunOption.Number("weightDecay", "weight decay", (spec, value) => spec with { WeightDecay = value }, spec => spec.WeightDecay),
        RunOption.Choice("schedule", "how the learning rate changes", (spec, value) => spec with { Schedule = value }, spec => spec.Schedule),
        RunOption.Number("warmupSteps", "steps over which the rate rises (linear, cosine)", (spec, value) => spec with { WarmupSteps = value }, spec => spec.WarmupSteps),
        RunOption.Number("keepBest", "checkpoints with the lowest validation loss to keep; -1: all", (spec, value) => spec with { KeepBest = value }, spec => spec.KeepBest),
        RunOption.Text("checkpointName", "PREFIX", "what checkpoint names begin with: letters, digits, '.', '_', '-'", (spec, text) => spec with { CheckpointName = text }, spec => spec.CheckpointName) with { Kind = ValueKind.Name },
        RunOption.Number("earlyStoppingPatience", "validations without improvement that end the run; 0: never", (spec, value) => spec with { EarlyStoppingPatience = value }, spec => spec.EarlyStoppingPatience),
        RunOption.Number("threads", "threads of a replica; default: the machine's cores", (spec, value) => spec with { Threads = value }, spec => spec.Threads),
        RunOption.Choice("onNonfinite", "end the run, or leave out the step, when a gradient is NaN or infinite", (spec, value) => spec with { OnNonfinite = value }, spec => spec.OnNonfinite),
        RunOption.Number("priority", "runs of a higher priority get devices first", (spec, value) => spec with { Priority = value }, spec => spec.Priority),
        RunOption.Number("minDevices", "wait while there are fewer devices", (spec, value) => spec with { MinDevices = value }, spec => spec.MinDevices),
        RunOption.Number("maxDevices", "take no more devices; 0: as many as there are shards", (spec, value) => spec with { MaxDevices = value }, spec => spec.MaxDevices),
        RunOption.Flag("acceptOtherDevice", "go on from a checkpoint on another kind of device than the run began on; its bits will be others", (spec, value) => spec with { AcceptOtherDevice = value }, spec => spec.AcceptOtherDevice),
        new("resume", "", "go on from the output folder's last checkpoint, if there is one", (settings, text) => settings with { Resume = RunOption.ParseFlag("resume", text) }, settings => RunOption.FlagText(settings.Resume)) { IsOfOneCall = true },
        new("json", "", "print one JSON object on standard output at the end", (settings, text) => settings with { Json = RunOption.ParseFlag("json", text) }, settings => RunOption.FlagText(settings.Json)) { IsOfOneCall = true },
    ];

    /// <summary>Those that are the run's own, not how a console is to run it.</summary>
    public static IEnumerable<RunOption> OfSpec => All.Where(option => !option.IsOfOneCall && option.Key != "silos");
    /// <summary>The setting with the key <paramref name="key"/>.</summary>
    /// <exception cref="UsageException">There is none; the message names the nearest.</exception>
    public static RunOption Find(string key, string source) =>
        All.FirstOrDefault(option => option.Key == key)
        ?? throw new UsageException($"{source} has an unknown key '{key}'; did you mean '{NearestName.Of(key, All.Select(option => option.Key))}'?");
}
