using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The hashes of a ledger, all SHA-256. A shard's digest is over the ids of its window's records, each 64 bits,
/// little-endian, in the order they were computed; a step's over its number (64 bits, little-endian) and the shards' digests
/// in shard order; a head's over the head before it and the step's digest.
/// </summary>
public static class StepDigest
{
    /// <summary>Bytes of a digest and of a head.</summary>
    public const int SizeBytes = SHA256.HashSizeInBytes;

    /// <summary>The digest of a shard whose window held these records; a record's id is its place in the FASTA file, from 0.</summary>
    public static byte[] OfShard(ReadOnlySpan<int> records)
    {
        using var window = new WindowDigest();
        window.Append(records);
        return window.Finish();
    }

    /// <summary>The digest of an optimizer step.</summary>
    /// <param name="step">Counts from 1.</param>
    /// <param name="shards">A digest of 32 bytes for each shard, in shard order.</param>
    /// <exception cref="ArgumentException">A shard's digest has another length.</exception>
    public static byte[] OfStep(long step, IReadOnlyList<byte[]> shards)
    {
        var bytes = new byte[sizeof(long) + (shards.Count * SizeBytes)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, step);
        for (int shard = 0; shard < shards.Count; shard++)
        {
            if (shards[shard].Length != SizeBytes)
                throw new ArgumentException($"Shard {shard}'s digest has {shards[shard].Length} bytes; expected {SizeBytes}.", nameof(shards));
            shards[shard].CopyTo(bytes.AsSpan(sizeof(long) + (shard * SizeBytes)));
        }

        return SHA256.HashData(bytes);
    }

    /// <summary>The chain's head after a step.</summary>
    public static byte[] NextHead(ReadOnlySpan<byte> head, ReadOnlySpan<byte> stepDigest)
    {
        Span<byte> bytes = stackalloc byte[2 * SizeBytes];
        head.CopyTo(bytes);
        stepDigest.CopyTo(bytes[SizeBytes..]);
        return SHA256.HashData(bytes);
    }
}

/// <summary>A shard's digest while its micro-batches are computed, one after the other.</summary>
public sealed class WindowDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Adds the records of the next micro-batch, in their order.</summary>
    public void Append(ReadOnlySpan<int> records)
    {
        Span<long> ids = stackalloc long[64];
        while (!records.IsEmpty)
        {
            int count = Math.Min(ids.Length, records.Length);
            for (int i = 0; i < count; i++) ids[i] = BitConverter.IsLittleEndian ? records[i] : BinaryPrimitives.ReverseEndianness((long)records[i]);
            _hash.AppendData(MemoryMarshal.AsBytes(ids[..count]));
            records = records[count..];
        }
    }

    /// <summary>The digest of everything added; 32 bytes.</summary>
    public byte[] Finish() => _hash.GetHashAndReset();

    public void Dispose() => _hash.Dispose();
}
