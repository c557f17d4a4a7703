using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>Counts how often each record was seen in each epoch. Memory: a byte for each record and epoch.</summary>
internal sealed class RecordCensus(LedgerPlan plan)
{
    private const byte Repeated = 2;

    private readonly SortedDictionary<int, byte[]> _seen = [];

    /// <summary>Counts a window's records.</summary>
    public void Add(int epoch, ReadOnlySpan<int> records)
    {
        if (!_seen.TryGetValue(epoch, out var seen)) _seen[epoch] = seen = new byte[plan.Identity.Records];
        foreach (int record in records)
            if (seen[record] < Repeated) seen[record]++;
    }

    /// <summary>Every epoch that a ledger from after <paramref name="after"/> to <paramref name="last"/> touches.</summary>
    public ImmutableArray<EpochRecords> Count(long after, long last)
    {
        if (last > after)
            for (int epoch = plan.EpochOf(after + 1); epoch <= plan.EpochOf(last); epoch++) Add(epoch, []);
        return [.. _seen.Select(epoch => Count(epoch.Key, epoch.Value, after, last))];
    }

    private EpochRecords Count(int epoch, byte[] seen, long after, long last)
    {
        Span<int> counts = stackalloc int[Repeated + 1];
        foreach (int record in plan.TrainingRecords) counts[seen[record]]++;
        bool complete = after <= (long)epoch * plan.StepsPerEpoch && last >= ((long)epoch + 1) * plan.StepsPerEpoch;
        return new EpochRecords(epoch, complete, Once: counts[1], Never: counts[0], Repeated: counts[Repeated]);
    }
}
