namespace GenSlmOrleans.Abstractions;

/// <summary>
/// A block on the wire: up to 2^20 consecutive fp32 values of a flat vector, in a buffer of <see cref="BlockBuffers"/>. Within a silo it is
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
    private NativeVector? _values;

    private Block(int index, NativeVector values, int length, bool sendOnce)
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

    /// <summary>What the values are rounded to when they cross to another silo, or were when they came from there. Within a silo they stay as they are.</summary>
    public Precision WirePrecision { get; set; }

    /// <summary>What they take on the wire.</summary>
    public long WireSizeBytes => SizeBytes(Length, WirePrecision);

    /// <summary>What so many values of a precision take on the wire.</summary>
    public static long SizeBytes(int values, Precision precision) => (long)values * (precision == Precision.Bf16 ? sizeof(ushort) : sizeof(float));

    /// <summary>The values.</summary>
    /// <exception cref="ObjectDisposedException">The buffer has gone to another owner.</exception>
    public Span<float> Values => Buffer.Values[..Length];

    /// <inheritdoc cref="Values"/>
    public ReadOnlyMemory<float> Memory => Buffer.Memory[..Length];

    /// <summary>Rents a buffer of <paramref name="length"/> values; their content is undefined.</summary>
    public static Block Rent(int index, int length) => new(index, BlockBuffers.Rent(length), length, sendOnce: false);

    /// <summary>A block for an answer: its buffer goes back to the pool as soon as it has been written to the wire.</summary>
    public static Block RentForAnswer(int index, int length) => new(index, BlockBuffers.Rent(length), length, sendOnce: true);

    /// <summary>A block within the silo of values that are somebody else's (<see cref="NativeVector.Lent"/>): nothing is copied.</summary>
    public static Block Over(int index, NativeVector values) => new(index, values, values.Length, sendOnce: false);

    /// <summary>Takes the buffer over; the caller returns it with <see cref="BlockBuffers.Return"/>. It may be longer than <see cref="Length"/>.</summary>
    public NativeVector Detach() => Interlocked.Exchange(ref _values, null) ?? throw new ObjectDisposedException(nameof(Block));

    /// <summary>Called by the codec when the bytes are on their way.</summary>
    internal void WasSent()
    {
        if (_sendOnce) Dispose();
    }

    private NativeVector Buffer => _values ?? throw new ObjectDisposedException(nameof(Block));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _values, null) is { } values) BlockBuffers.Return(values);
    }
}
