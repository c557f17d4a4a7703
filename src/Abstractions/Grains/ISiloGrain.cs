using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>What a silo offers.</summary>
/// <param name="SiloName">Its name.</param>
/// <param name="Devices"><c>cpu</c>, <c>cuda:0</c>, …</param>
/// <param name="Draining">It has been told to leave: nothing new goes there, and what is there moves away.</param>
[GenerateSerializer, Immutable, Alias("genslm.SiloOffer")]
public sealed record SiloOffer([property: Id(0)] string SiloName, [property: Id(1)] ImmutableArray<string> Devices, [property: Id(2)] bool Draining)
{
    /// <summary>How many cores it may use; 0: it is of a version that does not say.</summary>
    [Id(6)] public int Cores { get; init; }

    /// <summary>What bounds the silo's memory; the tightest counts, and silos with a pool of the same name share it.</summary>
    [Id(3)] public ImmutableArray<MemoryPool> Memory { get; init; } = [];

    /// <summary>What runs have taken of the silo's memory, or are about to.</summary>
    [Id(4)] public ImmutableArray<MemoryReservation> Reserved { get; init; } = [];

    /// <summary>What the bits of each of <see cref="Devices"/> depend on, in the same order.</summary>
    [Id(5)] public ImmutableArray<string> Fingerprints { get; init; } = [];
}

/// <summary>Memory that one silo or several may use.</summary>
/// <param name="Name">Tells this pool from any other anywhere.</param>
/// <param name="Source">Where the figure comes from, as a message says it: <c>--memory</c>, <c>the machine</c>.</param>
/// <param name="SizeBytes">How much there is, for all that share it.</param>
[GenerateSerializer, Immutable, Alias("genslm.MemoryPool")]
public sealed record MemoryPool([property: Id(0)] string Name, [property: Id(1)] string Source, [property: Id(2)] long SizeBytes);

/// <summary>What one run has taken of a silo's memory.</summary>
[GenerateSerializer, Immutable, Alias("genslm.MemoryReservation")]
public sealed record MemoryReservation([property: Id(0)] string RunId, [property: Id(1)] long SizeBytes);

/// <summary>A data set as a silo sees it.</summary>
/// <param name="Hash">XXH3-128, in hexadecimal, of the only file's bytes or of all files' hashes in their order.</param>
/// <param name="RecordCount">How many records it has, those of validation and test sets included.</param>
/// <param name="TokenCount">How many tokens they have, untruncated.</param>
/// <param name="UnknownTokenCount">How many of those are [UNK].</param>
/// <param name="GapCount">How many gap characters the sequences hold.</param>
/// <param name="UracilCount">How many letters U they hold: the vocabulary knows T only.</param>
/// <param name="TruncatedRecords">How many records are longer than the run's sequence length.</param>
[GenerateSerializer, Immutable, Alias("genslm.DataSummary")]
public sealed record DataSummary(
    [property: Id(0)] string Hash,
    [property: Id(1)] int RecordCount,
    [property: Id(2)] long TokenCount,
    [property: Id(3)] long UnknownTokenCount,
    [property: Id(4)] long GapCount,
    [property: Id(5)] long UracilCount,
    [property: Id(6)] int TruncatedRecords)
{
    /// <summary>Records of the validation set; 0 when none was given.</summary>
    [Id(7)] public int ValidationRecords { get; init; }

    /// <summary>Records of the test set; 0 when none was given.</summary>
    [Id(8)] public int TestRecords { get; init; }

    /// <summary>Tokens of the longest record, untruncated; 0 when unknown.</summary>
    [Id(9)] public int LongestRecord { get; init; }
}

/// <summary>Where a silo listens for blocks that do not go through Orleans.</summary>
/// <param name="Address">An IP address.</param>
/// <param name="Port">A port.</param>
/// <param name="Key">What whoever connects has to know: only those that may call grains are told.</param>
[GenerateSerializer, Immutable, Alias("genslm.ChannelOffer")]
public sealed record ChannelOffer([property: Id(0)] string Address, [property: Id(1)] int Port, [property: Id(2)] ImmutableArray<byte> Key);

/// <summary>A silo's own grain, key <c>@silo</c>: what it offers, and its copy of the data.</summary>
[Alias("genslm.ISiloGrain")]
public interface ISiloGrain : IGrainWithStringKey
{
    [Alias("describe")]
    Task<SiloOffer> DescribeAsync();

    /// <summary>Where it listens for blocks; null: nowhere, they come as grain calls.</summary>
    [Alias("describeChannel")]
    Task<ChannelOffer?> DescribeChannelAsync();

    /// <summary>Tells the silo to hand over what it holds and to end; returns at once.</summary>
    [Alias("drain")]
    Task DrainAsync();

    /// <summary>Tokenises the spec's data files into this silo's token store, unless they are there already.</summary>
    [Alias("openData"), ResponseTimeout(LongCall.Timeout)]
    Task<DataSummary> OpenDataAsync(RunSpec spec, int sequenceLimit);

    /// <summary>
    /// How many tokens the records have, cut to the run's sequence length, from record <paramref name="first"/> on: all that are left, or
    /// the first million of them. For whoever orders the records and does not see them.
    /// </summary>
    /// <exception cref="RunInputException">This silo cannot read the data, or sees others than those of <paramref name="hash"/>.</exception>
    [Alias("recordLengths"), ResponseTimeout(LongCall.Timeout)]
    Task<ImmutableArray<int>> GetRecordLengthsAsync(RunSpec spec, int sequenceLimit, string hash, int first);
}
