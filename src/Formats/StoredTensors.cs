using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>The tensors of a PyTorch file, each with its place in it: what archives and the format before 1.6 have in common.</summary>
internal sealed class StoredTensors(ContentFile file, ImmutableArray<TensorDescription> descriptions, ImmutableArray<StoredTensor> places)
{
    // Expanded tensors and views may add up to more than the file; beyond this it is made to keep readers busy.
    private const int MostReuse = 4;
    private const long AlwaysAccepted = 16 << 20;

    private StridedWindow? _window;

    public ImmutableArray<TensorDescription> Descriptions { get; } = descriptions;

    /// <summary>Raw elements in row-major order; the caller has checked the range.</summary>
    public void Read(int tensor, long firstElement, Span<byte> destination)
    {
        var stored = places[tensor];
        if (stored.IsContiguous)
        {
            file.Read(stored.FileOffset + firstElement * stored.ElementSize, destination);
            return;
        }

        // The tensor is usually read from its first element to its last, in pieces.
        while (!destination.IsEmpty)
        {
            var window = _window;
            if (window is null || !window.Holds(stored, firstElement)) _window = window = StridedWindow.Read(stored, file, firstElement);
            int copied = window.Copy(firstElement, destination);
            destination = destination[copied..];
            firstElement += copied / stored.ElementSize;
        }
    }

    /// <summary>Places tensors in a file, one after the other.</summary>
    public sealed class Builder(ContentFile file)
    {
        private readonly ImmutableArray<TensorDescription>.Builder _descriptions = ImmutableArray.CreateBuilder<TensorDescription>();
        private readonly ImmutableArray<StoredTensor>.Builder _places = ImmutableArray.CreateBuilder<StoredTensor>();
        private Int128 _bytes;

        /// <param name="name">The tensor's name.</param>
        /// <param name="tensor">What the pickle says of it.</param>
        /// <param name="storageOffset">Where its storage begins in the file; that the storage lies within the file has been checked.</param>
        /// <exception cref="WeightFileException">The tensor does not lie within its storage.</exception>
        public void Add(string name, PickleTensor tensor, long storageOffset)
        {
            string shape = TensorDescription.TextOf(tensor.Shape.AsSpan()), strides = TensorDescription.TextOf(tensor.Strides.AsSpan());
            var place = StoredTensor.Create(tensor, storageOffset)
                ?? throw file.Bad($"the tensor {MessageText.Quote(name)} of shape {shape}, strides {strides} and offset {tensor.Offset} " +
                    $"does not fit its storage of {tensor.Storage.ElementCount} elements.");
            var description = new TensorDescription(name, tensor.Storage.ElementType!.Value, tensor.Shape);
            _bytes += (Int128)description.ElementCount * place.ElementSize;
            if (_bytes > (Int128)file.Length * MostReuse + AlwaysAccepted)
                throw file.Bad($"the tensors up to {MessageText.Quote(name)} of shape {shape} use the same elements so often that they add up to {_bytes} bytes.");
            _places.Add(place);
            _descriptions.Add(description);
        }

        public StoredTensors Build() => new(file, _descriptions.ToImmutable(), _places.ToImmutable());
    }
}
