using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>What shards put into a step, as bytes: in the form that they have in grain calls.</summary>
public sealed class TotalsCodec(Serializer<ImmutableArray<ShardTotals>> serializer)
{
    /// <summary>No bytes where there are none.</summary>
    public byte[] Encode(ImmutableArray<ShardTotals> totals) => totals.IsDefaultOrEmpty ? [] : serializer.SerializeToArray(totals);

    /// <exception cref="SerializerException">They are none.</exception>
    public ImmutableArray<ShardTotals> Decode(byte[] bytes) => bytes.Length == 0 ? [] : serializer.Deserialize(bytes);
}
