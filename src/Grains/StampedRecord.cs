namespace GenSlmOrleans.Grains;

/// <summary>Which write of which activation a stored record is of.</summary>
/// <param name="Writer">The activation.</param>
/// <param name="Number">Counts its writes from 1.</param>
[GenerateSerializer, Immutable, Alias("genslm.WriteStamp")]
public sealed record WriteStamp([property: Id(0)] string Writer, [property: Id(1)] long Number);

/// <summary>Grain state that says who wrote it.</summary>
public interface IStampedRecord
{
    /// <summary>The write that made it; null in a record of a version that did not say.</summary>
    WriteStamp? LastWrite { get; set; }
}

/// <summary>How long grains wait for their store to come back.</summary>
/// <param name="OfCall">Within a call: its caller is told that it takes longer, and the grain goes on with it.</param>
/// <param name="OfRun">A run, or the keeper of its checkpoints.</param>
public sealed record StorePatience(TimeSpan OfCall, TimeSpan OfRun);
