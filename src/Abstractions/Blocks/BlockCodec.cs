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
/// connection's, one pass out. Values of four bytes are fp32, of two bf16. A block whose checksum does not match is refused, so a
/// damaged one never reaches Adam.
/// </summary>
[RegisterSerializer]
public sealed class BlockCodec : IFieldCodec<Block>
{
    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta, Type? expectedType, Block? value)
        where TBufferWriter : IBufferWriter<byte>
    {
        if (ReferenceCodec.TryWriteReferenceField(ref writer, fieldIdDelta, expectedType, value)) return;
        writer.WriteFieldHeader(fieldIdDelta, expectedType, typeof(Block), WireType.LengthPrefixed);
        if (value!.WirePrecision == Precision.Bf16)
        {
            var halves = BlockBuffers.Rent(HalvesLength(value.Length));
            var narrowed = Halves(halves, value.Length);
            Bf16.Narrow(value.Values, narrowed);
            Write(ref writer, value, MemoryMarshal.AsBytes(narrowed));
            BlockBuffers.Return(halves);
        }
        else
        {
            Write(ref writer, value, MemoryMarshal.AsBytes(value.Values));
        }

        value.WasSent();
    }

    private static void Write<TBufferWriter>(ref Writer<TBufferWriter> writer, Block block, ReadOnlySpan<byte> bytes)
        where TBufferWriter : IBufferWriter<byte>
    {
        writer.WriteVarUInt32((uint)(HeaderSizeBytes + bytes.Length));
        writer.WriteInt32(block.Index);
        writer.WriteInt32(block.Length);
        writer.WriteUInt64(XxHash3.HashToUInt64(bytes));
        writer.Write(bytes);
    }

    public Block ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        if (field.WireType == WireType.Reference) return ReferenceCodec.ReadReference<Block, TInput>(ref reader, field)!;
        var placeholder = ReferenceCodec.CreateRecordPlaceholder(reader.Session);
        uint sizeBytes = reader.ReadVarUInt32();
        int index = reader.ReadInt32();
        int length = reader.ReadInt32();
        ulong expected = reader.ReadUInt64();
        bool isHalf = sizeBytes == HeaderSizeBytes + Block.SizeBytes(length, Precision.Bf16) && length > 0;
        if (length < 0 || length > MaximumLength || (!isHalf && sizeBytes != HeaderSizeBytes + Block.SizeBytes(length, Precision.Fp32)))
            throw new SerializerException($"Block {index} says it has {length} values in {sizeBytes} bytes; expected {HeaderSizeBytes} bytes and two or four a value.");
        var block = Block.Rent(index, length);
        block.WirePrecision = isHalf ? Precision.Bf16 : Precision.Fp32;
        ulong found = isHalf ? ReadHalves(ref reader, block) : Read(ref reader, MemoryMarshal.AsBytes(block.Values));
        if (found != expected)
        {
            block.Dispose();
            throw new SerializerException($"Block {index} arrived with checksum {found:x16}; it was sent with {expected:x16}.");
        }

        ReferenceCodec.RecordObject(reader.Session, block, placeholder);
        return block;
    }

    private static ulong Read<TInput>(ref Reader<TInput> reader, Span<byte> bytes)
    {
        reader.ReadBytes(bytes);
        return XxHash3.HashToUInt64(bytes);
    }

    private static ulong ReadHalves<TInput>(ref Reader<TInput> reader, Block block)
    {
        var buffer = BlockBuffers.Rent(HalvesLength(block.Length));
        var halves = Halves(buffer, block.Length);
        ulong found = Read(ref reader, MemoryMarshal.AsBytes(halves));
        Bf16.Widen(halves, block.Values);
        BlockBuffers.Return(buffer);
        return found;
    }

    private static int HalvesLength(int length) => (length + 1) / 2;

    private static Span<ushort> Halves(NativeVector buffer, int length) => MemoryMarshal.Cast<float, ushort>(buffer.Values)[..length];

    private const int HeaderSizeBytes = 16;
    private const int MaximumLength = 1 << 24;
}

/// <summary>Within a silo a block is handed over, not copied.</summary>
[RegisterCopier]
public sealed class BlockCopier : ShallowCopier<Block>;
