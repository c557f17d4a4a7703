namespace GenSlmOrleans.Genomics;

/// <summary>
/// The letters of one record, collected. It doubles while it is small and then grows by a fixed size, so that a record of any
/// length needs at most twice its size and some megabytes, the moment of growing included.
/// </summary>
internal sealed class LetterBuffer
{
    private const int LargestStepBytes = 32 << 20;

    private byte[] _letters = new byte[1 << 16];

    public int Count { get; private set; }

    /// <summary>What was collected; good until the next change.</summary>
    public ReadOnlyMemory<byte> Letters => _letters.AsMemory(0, Count);

    public void Clear() => Count = 0;

    public void Append(ReadOnlySpan<byte> letters)
    {
        int needed = Count + letters.Length;
        if (needed > _letters.Length) Array.Resize(ref _letters, Math.Max(needed, _letters.Length + Math.Min(_letters.Length, LargestStepBytes)));
        letters.CopyTo(_letters.AsSpan(Count));
        Count = needed;
    }
}
