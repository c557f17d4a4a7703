namespace GenSlmOrleans.Client.Chaos;

/// <summary>How much a run under faults computes: so little that one takes about a minute, whatever the model.</summary>
/// <param name="MostRecords">Of the data, for training and validation together.</param>
/// <param name="LongestCodons">What the longest of them is cut to.</param>
/// <param name="SequenceLengths">Tokens that a run may cut records to.</param>
/// <param name="BatchSizes">Records of a micro-batch.</param>
/// <param name="ValidationBatches">Batches of a validation at most.</param>
/// <param name="Epochs">Epochs of a run, unless the console says how many.</param>
internal sealed record RunSize(int MostRecords, int LongestCodons, int[] SequenceLengths, int[] BatchSizes, int ValidationBatches, int Epochs)
{
    private const long FewParameters = 5_000_000;

    /// <summary>Steps of an epoch, as the fixed settings have them with the sample: what epochs are counted by.</summary>
    public const int StepsPerEpoch = 4;

    private static readonly RunSize Small = new(200, 120, [32, 64, 128], [1, 2, 3], 6, 6);

    private static readonly RunSize Large = new(24, 16, [8, 12, 16], [1, 2], 2, 3);

    /// <summary>For a model of so many parameters.</summary>
    public static RunSize Of(long parameters) => parameters <= FewParameters ? Small : Large;

    public bool IsLarge => this == Large;
}
