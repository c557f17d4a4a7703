using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Genomics;

/// <summary>Which records are trained on and which are set aside: a seeded random choice, each part in file order.</summary>
public sealed class DataSplit
{
    private DataSplit(ImmutableArray<int> training, ImmutableArray<int> validation) => (Training, Validation) = (training, validation);

    public ImmutableArray<int> Training { get; }

    public ImmutableArray<int> Validation { get; }

    /// <summary>
    /// Splits records 0 to <paramref name="recordCount"/> - 1. For validation: the nearest whole number to the fraction, at
    /// least one where the fraction is above 0 and there are two records, and never all.
    /// </summary>
    public static DataSplit Create(int recordCount, double validationFraction, ulong seed)
    {
        int validation = validationFraction > 0 && recordCount >= 2
            ? Math.Clamp((int)Math.Round(recordCount * validationFraction), 1, recordCount - 1)
            : 0;
        var order = Permutation.Of(recordCount, seed, RandomPurpose.Split, stream: 0);
        Array.Sort(order, 0, validation);
        Array.Sort(order, validation, recordCount - validation);
        return new DataSplit(
            ImmutableCollectionsMarshal.AsImmutableArray(order[validation..]), ImmutableCollectionsMarshal.AsImmutableArray(order[..validation]));
    }
}
