using System.Collections.Immutable;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>
/// A small run for tests of the ledger: 24 records, of which every fourth is for validation, three shards, two epochs of three
/// steps, two records a window; the last shard has run out by the last step. Its order is written out here, not computed.
/// </summary>
internal static class Ledgers
{
    public const int StepsPerEpoch = 3;
    public const int Steps = 6;

    public static LedgerIdentity Identity { get; } = new()
    {
        DataHash = "0123456789abcdef0123456789abcdef",
        Records = 24,
        Seed = 42,
        ValFraction = 0.25,
        Shuffle = true,
        Shards = 3,
        BatchSize = 1,
        AccumulationSteps = 2,
    };

    private static readonly int[][][] Orders =
    [
        [[5, 1, 9, 13, 17, 21], [2, 6, 10, 14, 18, 22], [3, 7, 11, 15]],
        [[21, 17, 13, 9, 5, 1], [6, 2, 14, 10, 22, 18], [15, 3, 7, 11]],
    ];

    public static LedgerPlan Plan { get; } = new(
        Identity,
        [.. Orders[0].SelectMany(records => records)],
        StepsPerEpoch,
        (step, shard) =>
        {
            var order = Orders[(step - 1) / StepsPerEpoch % 2][shard];
            int first = Math.Min(order.Length, (int)((step - 1) % StepsPerEpoch) * 2);
            return order.AsMemory(first, Math.Min(2, order.Length - first));
        });

    public static byte[][] Digests(long step) => [.. Enumerable.Range(0, Identity.Shards).Select(shard => Plan.Digest(step, shard))];

    /// <summary>A ledger of so many steps, as a run writes it.</summary>
    public static LedgerFile Write(TemporaryFolder folder, int steps = Steps)
    {
        var ledger = LedgerFile.Open(Path(folder), Identity, 0, head: null);
        for (long step = 1; step <= steps; step++) ledger.Append(step, Plan.EpochOf(step), Digests(step));
        return ledger;
    }

    public static string Path(TemporaryFolder folder) => folder.File(LedgerFile.FileName);

    /// <summary>The head that a run has after a step.</summary>
    public static string Head(long step)
    {
        var head = Identity.Head();
        for (long before = 1; before <= step; before++) head = StepDigest.NextHead(head, StepDigest.OfStep(before, Digests(before)));
        return Convert.ToHexStringLower(head);
    }
}
