using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// Which records are trained on and which are set aside: validation and test sets of their own as they are, otherwise a seeded
/// random choice for validation; each part in file order.
/// </summary>
public sealed class DataSplit
{
    private DataSplit(ImmutableArray<int> training, ImmutableArray<int> validation, ImmutableArray<int> test) =>
        (Training, Validation, Test) = (training, validation, test);

    public ImmutableArray<int> Training { get; }

    public ImmutableArray<int> Validation { get; }

    public ImmutableArray<int> Test { get; }

    /// <summary>Splits the records of <paramref name="sets"/>: with a validation set, all of the main records are for training.</summary>
    public static DataSplit Create(RecordSets sets, double validationFraction, ulong seed)
    {
        ImmutableArray<int> test = [.. Enumerable.Range(sets.Main + sets.Validation, sets.Test)];
        if (sets.Validation > 0)
            return new DataSplit([.. Enumerable.Range(0, sets.Main)], [.. Enumerable.Range(sets.Main, sets.Validation)], test);
        var split = Create(sets.Main, validationFraction, seed);
        return new DataSplit(split.Training, split.Validation, test);
    }

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
            ImmutableCollectionsMarshal.AsImmutableArray(order[validation..]), ImmutableCollectionsMarshal.AsImmutableArray(order[..validation]), []);
    }
}
