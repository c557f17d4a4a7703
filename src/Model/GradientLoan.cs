namespace GenSlmOrleans.Model;

/// <summary>
/// A gradient that others read where it lies. Whoever made the loan has a share of it, and so has each part that is taken
/// out; when the last is given back, the gradient goes back to its replica. Its memory outlasts the replica if need be.
/// </summary>
public sealed unsafe class GradientLoan
{
    private readonly GradientBuffer _gradient;
    private readonly HostMemory _memory;
    private int _shares = 1;
    private long _cleared;

    internal GradientLoan(GradientBuffer gradient) => (_gradient, _memory) = (gradient, new HostMemory(gradient.Values));

    /// <summary>Takes a part out: where it begins. It is given back with <see cref="Return"/>.</summary>
    /// <exception cref="OperationCanceledException">The loan has ended.</exception>
    public nint Take(long offset, int length)
    {
        var start = (nint)_memory.At(offset, length);
        for (int shares = Volatile.Read(ref _shares); shares > 0; shares = Volatile.Read(ref _shares))
            if (Interlocked.CompareExchange(ref _shares, shares + 1, shares) == shares) return start;
        throw new OperationCanceledException("The gradient has gone back to its replica.");
    }

    /// <summary>Gives a share back, on any thread.</summary>
    /// <param name="cleared">How many values of it are 0 now.</param>
    public void Return(int cleared = 0)
    {
        Interlocked.Add(ref _cleared, cleared);
        if (Interlocked.Decrement(ref _shares) != 0) return;
        _memory.Dispose();
        _gradient.IsClear = Interlocked.Read(ref _cleared) == _gradient.Count;
        _gradient.Return();
    }
}
