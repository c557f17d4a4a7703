using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Hashing;

namespace GenSlmOrleans.Genomics;

/// <summary>The files of a run's data, in order, and what is done to their records.</summary>
/// <param name="Main">What is trained on, and split for validation when there is no validation set; at least one file.</param>
/// <param name="Validation">The validation set; empty: none.</param>
/// <param name="Test">The test set; empty: none.</param>
/// <param name="Preparation">Of all records.</param>
public sealed record DataSources(
    ImmutableArray<string> Main, ImmutableArray<string> Validation, ImmutableArray<string> Test, RecordPreparation Preparation)
{
    /// <summary>One file, as it is.</summary>
    public static DataSources Of(string path) => new([path], [], [], RecordPreparation.None);

    /// <summary>The three lists, in the order in which their records are numbered.</summary>
    internal ImmutableArray<ImmutableArray<string>> Sets => [Main, Validation, Test];

    /// <summary>
    /// One hash for all: of a single file without sets beside it, its own; otherwise of the files' hashes, each behind the number of its set.
    /// </summary>
    /// <param name="fileHashes">XXH3-128 of the files' bytes, in the order of <see cref="Sets"/>.</param>
    internal UInt128 Combine(IReadOnlyList<UInt128> fileHashes)
    {
        if (Main.Length == 1 && Validation.IsEmpty && Test.IsEmpty) return fileHashes[0];
        var all = new XxHash128();
        Span<byte> entry = stackalloc byte[17];
        int file = 0;
        for (int set = 0; set < Sets.Length; set++)
        {
            for (int i = 0; i < Sets[set].Length; i++)
            {
                entry[0] = (byte)set;
                BinaryPrimitives.WriteUInt128BigEndian(entry[1..], fileHashes[file++]);
                all.Append(entry);
            }
        }

        return all.GetCurrentHashAsUInt128();
    }

    /// <summary>Hashes the files without looking into them.</summary>
    /// <exception cref="FastaException">A file is missing or may not be read.</exception>
    internal UInt128 Hash(CancellationToken ct)
    {
        var hashes = new List<UInt128>();
        foreach (var path in Sets.SelectMany(set => set))
        {
            using var stream = new HashingReader(FastaReader.Open(path, DataFile.Expected), ct);
            hashes.Add(stream.HashToEnd());
        }

        return Combine(hashes);
    }
}

/// <summary>What tells one run's data from another's.</summary>
/// <param name="Hash">As <see cref="TokenStore.SourceHash"/>.</param>
/// <param name="Sets">How many records there are.</param>
public sealed record DataFingerprint(string Hash, RecordSets Sets)
{
    /// <summary>Reads all files once, so that whatever is wrong with them is found.</summary>
    /// <exception cref="FastaException">A file is missing, malformed, or cannot be prepared as it is to be.</exception>
    public static DataFingerprint Of(DataSources sources, CancellationToken ct = default) => Of(sources, null, ct);

    /// <summary>The same, and tokenises the records to know their lengths.</summary>
    /// <param name="sources">The files.</param>
    /// <param name="lengths">Gets the number of tokens of each record, untruncated.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <exception cref="FastaException">As for <see cref="Of(DataSources, CancellationToken)"/>.</exception>
    public static DataFingerprint Of(DataSources sources, ICollection<int>? lengths, CancellationToken ct = default)
    {
        var hashes = new List<UInt128>();
        var tokens = new ArrayBufferWriter<byte>();
        Span<int> counts = stackalloc int[sources.Sets.Length];
        for (int set = 0; set < counts.Length; set++)
        {
            foreach (var path in sources.Sets[set])
            {
                using var file = DataFile.Open(path, sources.Preparation, ct);
                foreach (var record in file.Records())
                {
                    counts[set] = checked(counts[set] + 1);
                    if (lengths is null) continue;
                    tokens.ResetWrittenCount();
                    lengths.Add(record.Tokenize(tokens).TokenCount);
                }

                hashes.Add(file.HashToEnd());
            }
        }

        return new DataFingerprint(sources.Combine(hashes).ToString("x32"), new RecordSets(counts[0], counts[1], counts[2]));
    }
}
