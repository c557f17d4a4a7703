namespace GenSlmOrleans.Client.Options;

/// <summary>The valid name that a mistyped one is closest to.</summary>
internal static class NearestName
{
    /// <summary>The candidate with the smallest edit distance (Levenshtein) from <paramref name="name"/>, case ignored.</summary>
    public static string Of(string name, IEnumerable<string> candidates) =>
        candidates.MinBy(candidate => Distance(name.ToLowerInvariant(), candidate.ToLowerInvariant())) ?? name;

    private static int Distance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[to.Length];
    }
}
