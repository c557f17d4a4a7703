using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>What is trained while silos come and go: short steps, and shards for two silos to share evenly.</summary>
/// <param name="Fasta">The sequences.</param>
/// <param name="Model">A preset's name.</param>
/// <param name="Threads">Threads of a replica: a silo's share of the cores.</param>
/// <param name="SequenceLimit">Tokens a record is cut to; 0: the model's positions.</param>
/// <param name="Steps">Optimizer steps in all.</param>
internal sealed record ElasticWorkload(string Fasta, string Model, int Threads, int SequenceLimit, int Steps)
{
    private const int Shards = 4;
    private const int BatchSize = 2;
    private const int AccumulationSteps = 1;

    /// <summary>The sequences and the options of 'genslm train' and 'genslm submit'.</summary>
    public string[] Arguments(string output) =>
    [
        Path.GetFullPath(Fasta),
        "--model", Model,
        "--max-steps", Text(Steps),
        // However few records there are.
        "--epochs", Text(Steps),
        "--shards", Text(Shards),
        "--batch-size", Text(BatchSize),
        "--accumulation-steps", Text(AccumulationSteps),
        "--seq-length", Text(SequenceLimit),
        "--val-fraction", "0",
        "--threads", Text(Threads),
        "--output", output,
    ];

    /// <summary>As people read it.</summary>
    public override string ToString() =>
        $"{Model}, {Steps} steps of {Shards} shards, {AccumulationSteps} micro-batch of {BatchSize} records each{(SequenceLimit == 0 ? "" : $" cut to {SequenceLimit} tokens")}, {Threads} {(Threads == 1 ? "thread" : "threads")} a silo, {Path.GetFileName(Fasta)}";

    /// <exception cref="UsageException">There is no such model or file.</exception>
    public void Check()
    {
        if (!File.Exists(Fasta)) throw new UsageException($"{Fasta} does not exist; expected a FASTA file.");
        _ = Measurement.Preset(Model);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
