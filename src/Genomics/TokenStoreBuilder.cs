using System.Buffers;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace GenSlmOrleans.Genomics;

/// <summary>Tokenises FASTA files into token stores in a cache folder, each named by the hash of the file's bytes.</summary>
public static class TokenStoreBuilder
{
    private const string Extension = ".tokens";
    private const int FlushSizeBytes = 1 << 20;

    /// <summary>
    /// Opens the token store of a FASTA file, building it first where the cache has none or a damaged one. Several processes
    /// may do so at once: each builds under a name of its own, and a rename makes the result appear whole.
    /// </summary>
    /// <exception cref="FastaException">The FASTA file is missing or malformed; nothing is left in the cache.</exception>
    public static TokenStore OpenOrBuild(string fastaPath, string cacheFolder, CancellationToken ct = default)
    {
        Directory.CreateDirectory(cacheFolder);
        if (Directory.EnumerateFiles(cacheFolder, "*" + Extension).Any() && TryOpen(PathOf(cacheFolder, HashOf(fastaPath, ct))) is { } known) return known;
        var temporary = Path.Combine(cacheFolder, $".{Guid.NewGuid():n}.building");
        try
        {
            var path = PathOf(cacheFolder, Build(fastaPath, temporary, ct));
            File.Move(temporary, path, overwrite: true);
            return TokenStore.Open(path);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static string PathOf(string folder, UInt128 hash) => Path.Combine(folder, $"{hash:x32}{Extension}");

    private static TokenStore? TryOpen(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return TokenStore.Open(path);
        }
        catch (FastaException)
        {
            // Damaged, or of another version: it is only a cache.
            return null;
        }
    }

    private static UInt128 HashOf(string fastaPath, CancellationToken ct)
    {
        using var stream = new HashingReader(FastaReader.Open(fastaPath), ct);
        return stream.HashToEnd();
    }

    /// <summary>Writes the store of <paramref name="fastaPath"/> in one pass and returns the file's hash.</summary>
    private static UInt128 Build(string fastaPath, string temporary, CancellationToken ct)
    {
        using var source = new HashingReader(FastaReader.Open(fastaPath), ct);
        using var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1);
        using var output = new CheckedOutput(file);
        var tokenEnds = new List<long>();
        var headerEnds = new List<long>();
        var headers = new ArrayBufferWriter<byte>();
        var tokens = new ArrayBufferWriter<byte>(2 * FlushSizeBytes);
        long tokenCount = 0, unknown = 0, gaps = 0;
        int maximum = 0;
        foreach (var record in FastaReader.Read(source, fastaPath))
        {
            if (tokenEnds.Count == int.MaxValue - 64) throw new FastaException($"{fastaPath} has more than {tokenEnds.Count} records; split it.");
            var counts = CodonTokenizer.Tokenize(record.Sequence.Span, tokens);
            tokenCount += counts.TokenCount;
            unknown += counts.UnknownCount;
            gaps += counts.GapCount;
            maximum = Math.Max(maximum, counts.TokenCount);
            tokenEnds.Add(tokenCount);
            Encoding.UTF8.GetBytes(record.Header, headers);
            headerEnds.Add(headers.WrittenCount);
            if (tokens.WrittenCount < FlushSizeBytes) continue;
            output.Write(tokens.WrittenSpan);
            tokens.ResetWrittenCount();
        }

        output.Write(tokens.WrittenSpan);
        output.Write(stackalloc byte[(int)(TokenStoreLayout.Padded(tokenCount) - tokenCount)]);
        output.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(tokenEnds)));
        output.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(headerEnds)));
        output.Write(headers.WrittenSpan);
        var hash = source.HashToEnd();
        output.Finish(new TokenStoreLayout(tokenEnds.Count, tokenCount, unknown, gaps, maximum, headers.WrittenCount, hash, Checksum: 0));
        return hash;
    }

    /// <summary>What follows the head, hashed on the way; the head is written last.</summary>
    private sealed class CheckedOutput : IDisposable
    {
        private readonly FileStream _file;
        private readonly XxHash3 _hash = new();

        public CheckedOutput(FileStream file)
        {
            _file = file;
            _file.Position = TokenStoreLayout.SizeBytes;
        }

        public void Write(ReadOnlySpan<byte> bytes)
        {
            _hash.Append(bytes);
            _file.Write(bytes);
        }

        public void Finish(TokenStoreLayout layout)
        {
            Span<byte> head = stackalloc byte[TokenStoreLayout.SizeBytes];
            layout.Write(head);
            _hash.Append(head[..TokenStoreLayout.CheckedSizeBytes]);
            (layout with { Checksum = _hash.GetCurrentHashAsUInt64() }).Write(head);
            _file.Position = 0;
            _file.Write(head);
            _file.Flush(flushToDisk: true);
        }

        public void Dispose() => _file.Dispose();
    }
}
