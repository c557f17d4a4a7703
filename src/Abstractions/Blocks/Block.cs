using System.Buffers;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// A block on the wire: up to 2^20 consecutive fp32 values of a flat vector, in a pooled buffer. Within a silo it is
/// handed over by reference; between silos <see cref="BlockCodec"/> writes the bytes once.
/// </summary>
/// <remarks>
/// Whoever makes a block disposes it after the call it was sent with has succeeded. A receiver that wants to keep the
/// values calls <see cref="Detach"/>, after which disposing does nothing: so the buffer has one owner whether or not
/// the call crossed silos. After a failed call it is left to the garbage collector, since it may still be queued.
/// </remarks>
public sealed class Block : IDisposable
{
    private readonly bool _sendOnce;
    private float[]? _values;

    private Block(int index, float[] values, int length, bool sendOnce)
    {
        Index = index;
        _values = values;
        Length = length;
        _sendOnce = sendOnce;
    }

    /// <summary>Which block of the flat vector it is.</summary>
    public int Index { get; }

    /// <summary>How many values it holds.</summary>
    public int Length { get; }

    /// <summary>The values.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has gone to another owner.</exception>
    public Span<float> Values => Buffer.AsSpan(0, Length);

    /// <inheritdoc cref="Values"/>
    public ReadOnlyMemory<float> Memory => Buffer.AsMemory(0, Length);

    /// <summary>Rents a buffer of <paramref name="length"/> values; their content is undefined.</summary>
    public static Block Rent(int index, int length) => new(index, RentBuffer(length), length, sendOnce: false);

    /// <summary>A block for an answer: its buffer goes back to the pool as soon as it has been written to the wire.</summary>
    public static Block RentForAnswer(int index, int length) => new(index, RentBuffer(length), length, sendOnce: true);

    /// <summary>A buffer of at least <paramref name="length"/> values from the pool that blocks use.</summary>
    public static float[] RentBuffer(int length) => ArrayPool<float>.Shared.Rent(length);

    /// <summary>Gives back a buffer from <see cref="RentBuffer"/> or <see cref="Detach"/>.</summary>
    public static void ReturnBuffer(float[] buffer) => ArrayPool<float>.Shared.Return(buffer);

    /// <summary>Takes the buffer over; the caller returns it with <see cref="ReturnBuffer"/>. It may be longer than <see cref="Length"/>.</summary>
    public float[] Detach() => Interlocked.Exchange(ref _values, null) ?? throw new ObjectDisposedException(nameof(Block));

    /// <summary>Called by the codec when the bytes are on their way.</summary>
    internal void WasSent()
    {
        if (_sendOnce) Dispose();
    }

    private float[] Buffer => _values ?? throw new ObjectDisposedException(nameof(Block));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _values, null) is { } values) ReturnBuffer(values);
    }
}
