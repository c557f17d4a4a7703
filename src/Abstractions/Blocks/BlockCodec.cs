using System.Buffers;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Orleans.Serialization;
using Orleans.Serialization.Buffers;
using Orleans.Serialization.Cloning;
using Orleans.Serialization.Codecs;
using Orleans.Serialization.WireProtocol;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Writes a block as [index, length, XXH3-64 of the values, the values]: one pass from the buffer into the
/// connection's, one pass out. A block whose checksum does not match is refused, so a damaged one never reaches Adam.
/// </summary>
[RegisterSerializer]
public sealed class BlockCodec : IFieldCodec<Block>
{
    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta, Type? expectedType, Block? value)
        where TBufferWriter : IBufferWriter<byte>
    {
        if (ReferenceCodec.TryWriteReferenceField(ref writer, fieldIdDelta, expectedType, value)) return;
        writer.WriteFieldHeader(fieldIdDelta, expectedType, typeof(Block), WireType.LengthPrefixed);
        var bytes = MemoryMarshal.AsBytes(value!.Values);
        writer.WriteVarUInt32((uint)(HeaderSizeBytes + bytes.Length));
        writer.WriteInt32(value.Index);
        writer.WriteInt32(value.Length);
        writer.WriteUInt64(XxHash3.HashToUInt64(bytes));
        writer.Write(bytes);
        value.WasSent();
    }

    public Block ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        if (field.WireType == WireType.Reference) return ReferenceCodec.ReadReference<Block, TInput>(ref reader, field)!;
        var placeholder = ReferenceCodec.CreateRecordPlaceholder(reader.Session);
        uint sizeBytes = reader.ReadVarUInt32();
        int index = reader.ReadInt32();
        int length = reader.ReadInt32();
        ulong expected = reader.ReadUInt64();
        if (length < 0 || length > MaximumLength || sizeBytes != HeaderSizeBytes + (4L * length))
            throw new SerializerException($"Block {index} says it has {length} values in {sizeBytes} bytes; expected {HeaderSizeBytes} bytes and four a value.");
        var block = Block.Rent(index, length);
        var bytes = MemoryMarshal.AsBytes(block.Values);
        reader.ReadBytes(bytes);
        ulong found = XxHash3.HashToUInt64(bytes);
        if (found != expected)
        {
            block.Dispose();
            throw new SerializerException($"Block {index} arrived with checksum {found:x16}; it was sent with {expected:x16}.");
        }

        ReferenceCodec.RecordObject(reader.Session, block, placeholder);
        return block;
    }

    private const int HeaderSizeBytes = 16;
    private const int MaximumLength = 1 << 24;
}

/// <summary>Within a silo a block is handed over, not copied.</summary>
[RegisterCopier]
public sealed class BlockCopier : ShallowCopier<Block>;
