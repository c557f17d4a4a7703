namespace GenSlmOrleans.Formats;

/// <summary>Counts the values of tensors that are being written, so that neither too many nor too few go unnoticed.</summary>
internal sealed class ExpectedValues
{
    private readonly long _total;
    private long _taken;

    public ExpectedValues(IReadOnlyList<TensorDescription> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (tensor.ElementType != TensorElementType.Float32)
                throw new ArgumentException($"The tensor {tensor.Name} is {tensor.ElementType}; only fp32 is written.", nameof(tensors));
            if (!names.Add(tensor.Name)) throw new ArgumentException($"Two tensors are named {tensor.Name}.", nameof(tensors));
            _total = checked(_total + tensor.ElementCount);
        }
    }

    public void Take(int count)
    {
        if (count > _total - _taken)
            throw new InvalidOperationException($"{_taken + count} values were written; the tensors have only {_total}.");
        _taken += count;
    }

    public void CheckComplete()
    {
        if (_taken != _total) throw new InvalidOperationException($"{_taken} values were written; the tensors have {_total}.");
    }
}
