using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Fuzzing;

/// <summary>A data file, made into a token store in a cache folder of its own. A refused file leaves nothing in it.</summary>
public abstract class SequenceTarget : FuzzTarget
{
    private const string CacheName = "cache";

    /// <inheritdoc/>
    public override bool IsRefusal(Exception error) => error is FastaException;

    /// <inheritdoc/>
    public override object Read(string path) => TokenStoreBuilder.OpenOrBuild(SourcesOf(path), CacheOf(path));

    /// <inheritdoc/>
    public override void Check(object result, FuzzInput input, string path)
    {
        using var store = (TokenStore)result;
        long total = 0;
        int longest = 0, unknown = 0;
        for (int record = 0; record < store.RecordCount; record++)
        {
            var tokens = store.Tokens(record);
            FuzzFindingException.ThrowUnless(tokens.IndexOfAnyExceptInRange((byte)0, (byte)(CodonVocabulary.Size - 1)) < 0, "A token is not in the vocabulary.");
            total += tokens.Length;
            longest = Math.Max(longest, tokens.Length);
            unknown += tokens.Count(CodonVocabulary.UnknownId);
        }

        FuzzFindingException.ThrowUnless(
            (total, longest, unknown) == (store.TokenCount, store.MaximumLength, store.UnknownTokenCount), $"The store counts {store.TokenCount} tokens; there are {total}.");
        var lengths = new List<int>();
        FuzzFindingException.ThrowUnless(
            DataFingerprint.Of(SourcesOf(path), lengths) is var print && print.Hash == store.SourceHash && print.Sets.Total == store.RecordCount, "The fingerprint is not the store's.");
        FuzzFindingException.ThrowUnless(lengths.SequenceEqual(store.Lengths(int.MaxValue)), "The lengths are not the store's.");
        CheckStore(store, input, path);
    }

    /// <inheritdoc/>
    public override void CleanUp(string folder)
    {
        var cache = Path.Combine(folder, CacheName);
        if (!Directory.Exists(cache)) return;
        var files = Directory.GetFiles(cache);
        foreach (var file in files) File.Delete(file);
        FuzzFindingException.ThrowUnless(files.Length <= 1 && files.All(file => file.EndsWith(".tokens", StringComparison.Ordinal)), $"The cache holds {string.Join(", ", files)}.");
    }

    /// <summary>What is done to the records of a file of this size.</summary>
    protected virtual RecordPreparation PreparationOf(long sizeBytes) => RecordPreparation.None;

    /// <summary>What holds for this format beyond what holds for all.</summary>
    protected abstract void CheckStore(TokenStore store, FuzzInput input, string path);

    /// <summary>Where the store of a file is.</summary>
    protected static string CacheOf(string path) => Path.Combine(Path.GetDirectoryName(path)!, CacheName);

    private DataSources SourcesOf(string path) => DataSources.Of(path) with { Preparation = PreparationOf(new FileInfo(path).Length) };
}
