using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>What a silo offers.</summary>
/// <param name="SiloName">Its name.</param>
/// <param name="Devices"><c>cpu</c>, <c>cuda:0</c>, …</param>
/// <param name="Draining">It has been told to leave: nothing new goes there, and what is there moves away.</param>
[GenerateSerializer, Immutable, Alias("genslm.SiloOffer")]
public sealed record SiloOffer([property: Id(0)] string SiloName, [property: Id(1)] ImmutableArray<string> Devices, [property: Id(2)] bool Draining);

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
}

/// <summary>A silo's own grain, key <c>@silo</c>: what it offers, and its copy of the data.</summary>
[Alias("genslm.ISiloGrain")]
public interface ISiloGrain : IGrainWithStringKey
{
    [Alias("describe")]
    Task<SiloOffer> DescribeAsync();

    /// <summary>Tells the silo to hand over what it holds and to end; returns at once.</summary>
    [Alias("drain")]
    Task DrainAsync();

    /// <summary>Lets go of what a run has on this silo besides the named partitions and devices: an earlier driver may have left it.</summary>
    /// <exception cref="SupersededException">The fence is of an earlier driver than one that has been here.</exception>
    [Alias("tidy"), ResponseTimeout(LongCall.Timeout)]
    Task TidyAsync(Fence fence, ImmutableArray<int> partitions, ImmutableArray<string> devices);

    /// <summary>Tokenises the spec's data files into this silo's token store, unless they are there already.</summary>
    [Alias("openData"), ResponseTimeout(LongCall.Timeout)]
    Task<DataSummary> OpenDataAsync(RunSpec spec, int sequenceLimit);
}
