namespace GenSlmOrleans.Genomics;

/// <summary>What tells one FASTA file from another.</summary>
/// <param name="Hash">XXH3-128 of the file's bytes, in hexadecimal, as <see cref="TokenStore.SourceHash"/>.</param>
/// <param name="RecordCount">How many records it has.</param>
public sealed record FastaFingerprint(string Hash, int RecordCount)
{
    /// <summary>Reads a file once.</summary>
    /// <exception cref="FastaException">The file is missing or malformed.</exception>
    public static FastaFingerprint Of(string path, CancellationToken ct = default)
    {
        using var source = new HashingReader(FastaReader.Open(path), ct);
        int records = 0;
        foreach (var _ in FastaReader.Read(source, path)) records = checked(records + 1);
        return new FastaFingerprint(source.HashToEnd().ToString("x32"), records);
    }
}
