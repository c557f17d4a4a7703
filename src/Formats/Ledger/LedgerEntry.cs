using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Formats;

/// <summary>One optimizer step in a ledger.</summary>
/// <param name="Step">Counts from 1.</param>
/// <param name="Epoch">From 0.</param>
/// <param name="Shards">A digest for each shard, see <see cref="StepDigest"/>; none when the step was skipped and no record entered.</param>
/// <param name="Head">The chain's head after the step.</param>
public sealed record LedgerEntry(long Step, int Epoch, byte[][] Shards, byte[] Head)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The entry's digest, which links it into the chain.</summary>
    public byte[] Digest() => StepDigest.OfStep(Step, Shards);

    /// <summary>The line that stands for the entry, its line end included: always the same bytes.</summary>
    public byte[] ToLine() => LineOf(new Written(Step, Epoch, [.. Shards.Select(Convert.ToHexStringLower)], Convert.ToHexStringLower(Head)));

    /// <summary>Reads what <see cref="ToLine"/> wrote, and only that, to the last byte; null when it is anything else.</summary>
    /// <param name="line">Without its line end.</param>
    public static LedgerEntry? Parse(ReadOnlySpan<byte> line)
    {
        if (Read<Written>(line) is not { } written || Bytes(written.Head) is not { } head) return null;
        var shards = new byte[written.Shards.Length][];
        for (int shard = 0; shard < shards.Length; shard++)
        {
            if (Bytes(written.Shards[shard]) is not { } digest) return null;
            shards[shard] = digest;
        }

        return new LedgerEntry(written.Step, written.Epoch, shards, head);
    }

    /// <summary>A ledger's first line: whose it is, and the head before the first step.</summary>
    public static byte[] FirstLine(LedgerIdentity identity) => LineOf(new First(identity.Text, Convert.ToHexStringLower(identity.Head())));

    /// <summary>Reads what <see cref="FirstLine"/> wrote, the hash included; null when it is anything else.</summary>
    public static LedgerIdentity? ParseFirst(ReadOnlySpan<byte> line) =>
        Read<First>(line) is { } first && LedgerIdentity.Parse(first.Ledger) is { } identity && line.SequenceEqual(FirstLine(identity).AsSpan(..^1)) ? identity : null;

    private static byte[] LineOf<T>(T line) => [.. JsonSerializer.SerializeToUtf8Bytes(line, Options), (byte)'\n'];

    // Only the canonical text is accepted: whoever changes a byte changes the ledger.
    private static T? Read<T>(ReadOnlySpan<byte> line)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, Options) is { } read && LineOf(read).AsSpan(..^1).SequenceEqual(line) ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static byte[]? Bytes(string? hexadecimal) =>
        hexadecimal?.Length == 2 * StepDigest.SizeBytes && hexadecimal.All(char.IsAsciiHexDigitLower) ? Convert.FromHexString(hexadecimal) : null;

    private sealed record Written(long Step, int Epoch, string[] Shards, string Head);

    private sealed record First(string Ledger, string Head);
}
