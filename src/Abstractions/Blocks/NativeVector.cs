using System.Buffers;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// fp32 values in memory of their own, outside the managed heap, aligned for vectors: gigabytes that no collection looks at
/// or moves, given back to the operating system when they are freed. The content is undefined until it is written; pages cost
/// nothing until then.
/// </summary>
/// <remarks>Whoever frees it sees to it that nobody reads it any more. What nobody freed goes with the object.</remarks>
public sealed unsafe class NativeVector : MemoryManager<float>
{
    private static long s_liveBytes;

    private readonly SafeHandle _memory;

    /// <param name="length">How many values it has.</param>
    public NativeVector(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        _memory = new Allocation(Math.Max(1, (nuint)length) * sizeof(float));
    }

    private NativeVector(SafeHandle memory, int length) => (_memory, Length) = (memory, length);

    /// <summary>Somebody else's values, until they are given back.</summary>
    /// <param name="start">Where they begin, in memory that does not move.</param>
    /// <param name="length">How many there are.</param>
    /// <param name="giveBack">Called once, on any thread, when they are freed, or when nobody holds them any more: whether they are all 0 now.</param>
    /// <param name="rights">What may be done with them beside reading them.</param>
    public static NativeVector Lent(nint start, int length, Action<bool> giveBack, LoanRights rights = LoanRights.None) => new(new Loan(start, giveBack, rights), length);

    /// <summary>What all of this process take that have not been freed.</summary>
    public static long LiveBytes => Interlocked.Read(ref s_liveBytes);

    /// <summary>How many values it has.</summary>
    public int Length { get; }

    /// <summary>Whether the values are somebody else's, and not to be changed but as <see cref="Allows"/> says.</summary>
    public bool IsLent => _memory is Loan;

    /// <summary>Whether whoever holds the values may do so: with one's own everything.</summary>
    public bool Allows(LoanRights right) => _memory is not Loan loan || loan.Rights.HasFlag(right);

    /// <summary>Says that all values are 0 now; their owner learns it when they are given back.</summary>
    public void MarkCleared()
    {
        if (_memory is Loan loan) loan.IsCleared = true;
    }

    /// <summary>The values.</summary>
    /// <exception cref="ObjectDisposedException">It has been freed.</exception>
    public Span<float> Values => GetSpan();

    /// <inheritdoc/>
    public override Span<float> GetSpan() => new(Start, Length);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)Length, nameof(elementIndex));
        return new MemoryHandle((float*)Start + elementIndex, default, this);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
        // Native memory does not move.
    }

    /// <summary>Gives the memory back.</summary>
    public void Free() => _memory.Dispose();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) Free();
    }

    private void* Start
    {
        get
        {
            ObjectDisposedException.ThrowIf(_memory.IsClosed, this);
            return (void*)_memory.DangerousGetHandle();
        }
    }

    private sealed class Loan : SafeHandle
    {
        private readonly Action<bool> _giveBack;

        public Loan(nint start, Action<bool> giveBack, LoanRights rights) : base(0, ownsHandle: true)
        {
            (_giveBack, Rights) = (giveBack, rights);
            SetHandle(start);
        }

        public LoanRights Rights { get; }

        public bool IsCleared { get; set; }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            _giveBack(IsCleared);
            return true;
        }
    }

    private sealed class Allocation : SafeHandle
    {
        private const int AlignmentBytes = 64;

        private readonly long _sizeBytes;

        public Allocation(nuint sizeBytes) : base(0, ownsHandle: true)
        {
            SetHandle((nint)NativeMemory.AlignedAlloc(sizeBytes, AlignmentBytes));
            // No pressure on the collector: the weights stay, and it would look for what it cannot find, again and again while they are taken.
            _sizeBytes = (long)sizeBytes;
            Interlocked.Add(ref s_liveBytes, _sizeBytes);
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            NativeMemory.AlignedFree((void*)handle);
            Interlocked.Add(ref s_liveBytes, -_sizeBytes);
            return true;
        }
    }
}
