using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// What decides which records enter which optimizer step, and nothing else: the chain of a ledger begins with its hash. How
/// many epochs a run has is not in it, because a run may be made longer, which changes no step that it has taken.
/// </summary>
public sealed record LedgerIdentity
{
    private const string Format = "genslm-ledger-1";

    /// <summary>XXH3-128 of the FASTA file, as run.json has it.</summary>
    public required string DataHash { get; init; }

    /// <summary>Records of the FASTA file.</summary>
    public required int Records { get; init; }
    public required ulong Seed { get; init; }
    public required double ValFraction { get; init; }
    public required bool Shuffle { get; init; }
    public required int Shards { get; init; }
    public required int BatchSize { get; init; }
    public required int AccumulationSteps { get; init; }

    /// <summary>Where records of similar length come together, XXH3-128 of all records' lengths, on which the order depends; null: they do not, and nothing is said of it, as in ledgers of before.</summary>
    public string? Lengths { get; init; }

    /// <summary>The step after which the ledger begins: 0, or where a run that had none was resumed.</summary>
    public long After { get; init; }

    /// <summary>The canonical text: words with a space between, the keys of a run file.</summary>
    public string Text => With(Lengths is null ? "" : Bucketing);

    private string Bucketing => $" bucketByLength={(Lengths is null ? "false" : "true")} lengths={Lengths}";

    private string With(string bucketing) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Format} data={DataHash} records={Records} seed={Seed} valFraction={ValFraction:R} shuffle={(Shuffle ? "true" : "false")} shards={Shards} batchSize={BatchSize} accumulationSteps={AccumulationSteps}{bucketing} after={After}");

    /// <summary>The chain's head before the first step: SHA-256 of <see cref="Text"/> in UTF-8.</summary>
    public byte[] Head() => SHA256.HashData(Encoding.UTF8.GetBytes(Text));

    /// <summary>Reads what <see cref="Text"/> gives, and only that; null when it is anything else.</summary>
    public static LedgerIdentity? Parse(string text)
    {
        var words = text.Split(' ');
        if (words.Length is not (10 or 12) || words[0] != Format) return null;
        var values = words.Skip(1).Select(word => word[(word.IndexOf('=') + 1)..]).ToArray();
        var culture = CultureInfo.InvariantCulture;
        if (!int.TryParse(values[1], NumberStyles.None, culture, out int records)
            || !ulong.TryParse(values[2], NumberStyles.None, culture, out ulong seed)
            || !double.TryParse(values[3], NumberStyles.Float, culture, out double valFraction)
            || !bool.TryParse(values[4], out bool shuffle)
            || !int.TryParse(values[5], NumberStyles.None, culture, out int shards)
            || !int.TryParse(values[6], NumberStyles.None, culture, out int batchSize)
            || !int.TryParse(values[7], NumberStyles.None, culture, out int accumulationSteps)
            || !long.TryParse(values[^1], NumberStyles.None, culture, out long after)) return null;
        var identity = new LedgerIdentity
        {
            DataHash = values[0],
            Records = records,
            Seed = seed,
            ValFraction = valFraction,
            Shuffle = shuffle,
            Shards = shards,
            BatchSize = batchSize,
            AccumulationSteps = accumulationSteps,
            Lengths = words.Length == 12 ? values[9] : null,
            After = after,
        };
        return identity.Text == text ? identity : null;
    }

    /// <summary>The first field in which <paramref name="found"/> is another run's, as a sentence's part; null when it is the same run.</summary>
    public string? Difference(LedgerIdentity found)
    {
        var expectedWords = With(Bucketing).Split(' ');
        var foundWords = (found with { After = After }).With(found.Bucketing).Split(' ');
        for (int i = 0; i < expectedWords.Length; i++)
            if (expectedWords[i] != foundWords[i]) return $"is of a run with {MessageText.Quote(foundWords[i])}; expected '{expectedWords[i]}'";
        return null;
    }
}
