namespace GenSlmOrleans.Genomics;

/// <summary>Seeded permutations (Fisher and Yates' shuffle, Durstenfeld's form).</summary>
internal static class Permutation
{
    /// <summary>The numbers 0 to <paramref name="count"/> - 1 in random order.</summary>
    public static int[] Of(int count, ulong seed, RandomPurpose purpose, ulong stream)
    {
        var order = new int[count];
        for (int i = 0; i < count; i++) order[i] = i;
        for (int i = count - 1; i > 0; i--)
        {
            int other = CounterRandom.Below(i + 1, seed, purpose, stream, (ulong)i);
            (order[i], order[other]) = (order[other], order[i]);
        }

        return order;
    }
}
