using GenSlmOrleans.Abstractions;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Tests;

public sealed class BlockCodecTests
{
    private static readonly Serializer Serializer = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<Serializer>();

    private static readonly DeepCopier Copier = new ServiceCollection().AddSerializer().BuildServiceProvider().GetRequiredService<DeepCopier>();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1 << 20)]
    public void A_block_crosses_the_wire_bit_by_bit(int length)
    {
        using var block = Filled(length);
        using var copy = Serializer.Deserialize<Block>(Serializer.SerializeToArray(block))!;
        Assert.Equal((7, length), (copy.Index, copy.Length));
        Assert.Equal(block.Values.ToArray().Select(BitConverter.SingleToInt32Bits), copy.Values.ToArray().Select(BitConverter.SingleToInt32Bits));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1001)]
    public void A_block_in_bf16_crosses_in_half_the_bytes_as_it_is_rounded(int length)
    {
        using var block = Filled(length);
        int wholeBytes = Serializer.SerializeToArray(block).Length;
        block.WirePrecision = Precision.Bf16;
        var bytes = Serializer.SerializeToArray(block);
        using var copy = Serializer.Deserialize<Block>(bytes)!;
        Bf16.Round(block.Values);
        Assert.Equal((7, length), (copy.Index, copy.Length));
        Assert.Equal(block.Values.ToArray().Select(BitConverter.SingleToInt32Bits), copy.Values.ToArray().Select(BitConverter.SingleToInt32Bits));
        Assert.InRange(wholeBytes - bytes.Length, 2 * length, (2 * length) + 4);
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void A_damaged_block_is_refused(Precision precision)
    {
        using var block = Filled(1000);
        block.WirePrecision = precision;
        var bytes = Serializer.SerializeToArray(block);
        bytes[^100] ^= 0x10;
        Assert.Contains("checksum", Assert.ThrowsAny<SerializerException>(() => Serializer.Deserialize<Block>(bytes)).Message);
    }

    [Fact]
    public void Within_a_silo_a_block_is_handed_over_and_has_one_owner()
    {
        var block = Filled(10);
        Assert.Same(block, Copier.Copy(block));
        var buffer = block.Detach();
        Assert.Throws<ObjectDisposedException>(() => block.Values.Length);
        // What the sender does after the call must not give the receiver's buffer back to the pool.
        block.Dispose();
        Assert.Throws<ObjectDisposedException>(() => block.Detach());
        BlockBuffers.Return(buffer);
    }

    [Fact]
    public void An_answers_buffer_goes_back_to_the_pool_once_it_is_on_its_way_and_a_requests_stays()
    {
        var answer = Block.RentForAnswer(1, 10);
        answer.Values.Clear();
        Serializer.SerializeToArray(answer);
        Assert.Throws<ObjectDisposedException>(() => answer.Values.Length);
        using var request = Filled(10);
        Serializer.SerializeToArray(request);
        Assert.Equal(10, request.Values.Length);
    }

    private static Block Filled(int length)
    {
        var block = Block.Rent(7, length);
        for (int i = 0; i < length; i++) block.Values[i] = i % 5 == 0 ? float.NaN : i * 0.37f;
        return block;
    }
}
