namespace GenSlmOrleans.Client.GenSlm;

/// <summary>What became of a key of GenSLM's YAML, where that wants saying.</summary>
internal enum ImportOutcome
{
    /// <summary>In the run file, with another meaning or value.</summary>
    Changed,

    /// <summary>Not in the run file, and the run differs for it.</summary>
    LeftOut,

    /// <summary>In the run file; what it names is not where it says.</summary>
    NotFound,

    /// <summary>Not in the run file, and nothing is lost.</summary>
    WithoutEffect,

    /// <summary>In the run file without a key: GenSLM's training always does it.</summary>
    Added,
}

/// <summary>A line of the report of an import.</summary>
/// <param name="Outcome">What became of the key.</param>
/// <param name="Key">GenSLM's key; of what was added, the run file's.</param>
/// <param name="Found">The value there.</param>
/// <param name="Line">The key's line in GenSLM's YAML; 0: it has none.</param>
/// <param name="Became">The line of the run file it became; empty: none.</param>
/// <param name="Reason">Why, or how the meaning changed.</param>
internal sealed record ImportNote(ImportOutcome Outcome, string Key, string Found, long Line, string Became, string Reason);
