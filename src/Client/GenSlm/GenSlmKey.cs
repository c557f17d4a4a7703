using System.Collections.Immutable;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>A key of GenSLM's settings (ModelSettings in its config.py) for which run files have nothing.</summary>
/// <param name="Name">The key.</param>
/// <param name="Reason">Why there is nothing.</param>
/// <param name="WithoutEffect">The values with which leaving it out changes nothing; empty: any value.</param>
internal sealed record GenSlmKey(string Name, string Reason, params ImmutableArray<string> WithoutEffect)
{
    private const string Wandb = "progress is in metrics.jsonl and at /metrics of every silo; nothing is sent to Weights & Biases";
    private const string Blast = "it belongs to enable_blast, and BLAST is not run";
    private const string Generation = "it belongs to num_test_seqs_per_gpu, and no sequences are generated";
    private const string Loader = "records are tokenised once into a memory-mapped file; there are no loader processes";
    private const string DeepSpeed = "it says where DeepSpeed keeps parameters and moments, which are spread over the silos here";
    private const string Checkpoints = "a checkpoint is written after each validation, which valEvery decides";

    /// <summary>The value of keys that are off when null.</summary>
    private const string Null = "null";

    public static ImmutableArray<GenSlmKey> LeftOut { get; } =
    [
        new("wandb_active", Wandb, "false"),
        new("wandb_project_name", Wandb),
        new("wandb_entity_name", Wandb),
        new("wandb_model_tag", Wandb),
        new("node_local_path", "the cache folder is the silos' own setting, GENSLM_CACHE"),
        new("compute_throughput", "GenSLM would measure the throughput on a part of the data and keep nothing; this run file trains", "false"),
        new("profiling_path", "there is no PyTorch profile; how long each phase of a step takes is at /metrics", Null),
        new("enable_perplexity", "perplexity is the exponential of the losses in metrics.jsonl"),
        new("log_every_n_steps", "every optimizer step is in metrics.jsonl"),
        new("checkpoint_every_n_train_steps", Checkpoints, Null),
        new("checkpoint_every_n_epochs", Checkpoints, Null),
        new("deepspeed_flops_profile", "GenSLM would stop after 7 steps to count operations; this run file trains", "false"),
        new("kmer_size", "tokens are codons, 3 letters; with another size a model saw other tokens", "3"),
        new("small_subset", "all records are used; give a file with fewer to train on fewer", "0", "false", Null),
        new("enable_blast", "validation measures the loss and does not run BLAST", "false"),
        new("blast_validation_file", Blast),
        new("num_blast_seqs_per_gpu", Blast),
        new("blast_exe_path", Blast),
        new("num_test_seqs_per_gpu", "no sequences are generated", "0"),
        new("custom_seq_name", Generation),
        new("deepspeed_cfg_file", "GenSLM does not read it either"),
        new("deepspeed_stage", DeepSpeed),
        new("offload_parameters", DeepSpeed),
        new("offload_optimizer", DeepSpeed),
        new("offload_device", DeepSpeed),
        new("nvme_path", DeepSpeed),
        new("partition_activations", DeepSpeed),
        new("num_data_workers", Loader),
        new("prefetch_factor", Loader),
        new("pin_memory", Loader),
        new("persistent_workers", Loader),
    ];

    /// <summary>Keys that <see cref="GenSlmImport"/> reads.</summary>
    public static ImmutableArray<string> Carried { get; } =
    [
        "train_file", "val_file", "test_file", "tokenizer_file", "model_config_json", "load_pt_checkpoint", "load_ds_checkpoint", "checkpoint_dir",
        "batch_size", "accumulate_grad_batches", "learning_rate", "epochs", "max_steps", "gradient_clip_value", "block_size", "precision", "random_seed",
        "num_nodes", "val_check_interval", "check_val_every_n_epoch", "limit_val_batches", "warm_up_lr", "lr_plateau", "lr_cosine_with_warmup",
    ];

    /// <summary>All keys of GenSLM's settings.</summary>
    public static IEnumerable<string> All => [.. Carried, .. LeftOut.Select(key => key.Name)];

    /// <summary>Whether a value, as the file shows it, is one of those with which nothing is lost.</summary>
    public bool IsWithoutEffect(string shown) => WithoutEffect.IsEmpty || WithoutEffect.Contains(shown.ToLowerInvariant());
}
