using System.Collections.Immutable;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;

namespace GenSlmOrleans.Genomics;

public sealed class FastaException(string message) : Exception(message);
public readonly record struct FastaRecord(string Header, ReadOnlyMemory<byte> Sequence, long LineNumber);
public static class FastaReader
{
    public static IEnumerable<FastaRecord> Read(string path)
    {
        if (!File.Exists(path)) throw new FastaException($"{path} does not exist.");
        using Stream raw = File.OpenRead(path);
        using Stream s = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(raw, CompressionMode.Decompress) : raw;
        using var r = new StreamReader(s);
        string? header = null; var seq = new StringBuilder(); long line = 0, at = 0;
        while (r.ReadLine() is { } l)
        {
            line++;
            if (l.StartsWith('>')) { if (header is not null) yield return new(header, Encoding.ASCII.GetBytes(seq.ToString()), at); header = l[1..]; seq.Clear(); at = line; }
            else if (header is null) throw new FastaException($"{path} line {line}: no header.");
            else seq.Append(l.Trim());
        }
        if (header is null) throw new FastaException($"{path} is empty.");
        yield return new(header, Encoding.ASCII.GetBytes(seq.ToString()), at);
    }
}
public static class CodonVocabulary
{
    public const int Size = 69; public const byte UnknownId = 0, PadId = 3;
    public static ImmutableArray<string> Words { get; } = [.. "[UNK] [CLS] [SEP] [PAD] [MASK] GGC GCC ATC GAC GAA ATG GTG CTG GTC GCG GAT AAA GGT AAG GAG ACC AAC GTT ATT GCA CTC CGC GCT CAG CCG TTC GTA TCG GGA AAT TAC CTT TTG ACG TCC GGG AGC CCC ACA ACT TCT TTA CGT TAT CAA CGG TTT CAC CCT CCA TGG ATA TCA TGC AGT AGA CAT TGT CTA AGG TAA CGA TGA TAG".Split(' ')];
}
public sealed class TokenStore : IDisposable
{
    public List<byte[]> R = [];
    public string SourceHash { get; set; } = "";
    public int RecordCount => R.Count;
    public long TokenCount => R.Sum(r => (long)r.Length);
    public long UnknownTokenCount => R.Sum(r => (long)r.Count(t => t == 0));
    public long GapCount => 0;
    public int RecordsLongerThan(int limit) => R.Count(r => r.Length > limit);
    public ReadOnlySpan<byte> Tokens(int i) => R[i];
    public void Dispose() { }
}
public static class TokenStoreBuilder
{
    public static TokenStore OpenOrBuild(string fastaPath, string cacheFolder, CancellationToken ct = default)
    {
        var store = new TokenStore();
        foreach (var r in FastaReader.Read(fastaPath))
        {
            var s = Encoding.ASCII.GetString(r.Sequence.Span).ToUpperInvariant();
            store.R.Add([.. Enumerable.Range(0, (s.Length + 2) / 3).Select(i => (byte)Math.Max(0, CodonVocabulary.Words.IndexOf(s.Substring(i * 3, Math.Min(3, s.Length - i * 3)))))]);
        }
        store.SourceHash = Convert.ToHexString(XxHash128.Hash(File.ReadAllBytes(fastaPath)));
        return store;
    }
}
public enum RandomPurpose : uint { Split = 1, Shuffle = 2, Initialization = 3, Simulation = 4 }
public static class CounterRandom
{
    public static ulong UInt64(ulong seed, RandomPurpose purpose, ulong stream, ulong index)
    {
        ulong z = seed * 0x9E3779B97F4A7C15 + (ulong)purpose * 0xD1B54A32D192ED03 + stream * 0xABC98388FB8FAC03 + index * 0x8CB92BA72F3D8DD7;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9; z = (z ^ (z >> 27)) * 0x94D049BB133111EB; return z ^ (z >> 31);
    }
}
public sealed class DataSplit
{
    public ImmutableArray<int> Training, Validation;
    public static DataSplit Create(int n, double f, ulong seed)
    {
        int v = f == 0 || n < 2 ? 0 : Math.Clamp((int)Math.Round(n * f), 1, n - 1);
        var order = Enumerable.Range(0, n).OrderBy(i => CounterRandom.UInt64(seed, RandomPurpose.Split, 0, (ulong)i)).ToArray();
        return new() { Validation = [.. order.Take(v).Order()], Training = [.. order.Skip(v).Order()] };
    }
}
public sealed class SamplingOrder(ImmutableArray<int> trainingRecords, int shardCount, ulong seed, bool shuffle)
{
    public int RecordCount(int shard) => (trainingRecords.Length - shard + shardCount - 1) / shardCount;
    public int[] Epoch(int shard, int epoch)
    {
        var own = trainingRecords.Where((_, i) => i % shardCount == shard).ToArray();
        return shuffle ? [.. own.OrderBy(i => CounterRandom.UInt64(seed, RandomPurpose.Shuffle, (ulong)epoch << 32 | (uint)shard, (ulong)i))] : own;
    }
}
public enum PaddingMode { Longest, MaxLength }
public sealed record MicroBatch(int RecordCount, int Columns, byte[] TokenIds, int[] Lengths)
{
    public long RealTokens => Lengths.Sum(l => (long)l);
    public long PaddingTokens => TokenIds.Length - RealTokens;
    public static MicroBatch Assemble(TokenStore store, ReadOnlySpan<int> records, int limit, PaddingMode padding)
    {
        var l = new int[records.Length];
        for (int i = 0; i < l.Length; i++) l[i] = Math.Min(limit, store.Tokens(records[i]).Length);
        int c = padding == PaddingMode.MaxLength ? limit : l.Max();
        var ids = new byte[c * l.Length]; Array.Fill(ids, CodonVocabulary.PadId);
        for (int i = 0; i < l.Length; i++) store.Tokens(records[i])[..l[i]].CopyTo(ids.AsSpan(i * c));
        return new(l.Length, c, ids, l);
    }
}
