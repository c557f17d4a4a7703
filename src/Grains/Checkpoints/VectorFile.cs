using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Reads blocks of a run's vectors from files that hold all of one or a part.</summary>
internal sealed class VectorFile : IDisposable
{
    private readonly FlatVector _vector;
    private readonly long _firstElement;

    private VectorFile(FlatVector vector, long firstElement) => (_vector, _firstElement) = (vector, firstElement);

    /// <summary>Weights from anywhere: every parameter of the architecture must be in the file, under a name that is recognised.</summary>
    /// <exception cref="WeightFileException">The file is not sound, or its tensors are another architecture's.</exception>
    public static VectorFile OpenWeights(string path, RunPlan plan) => new(FlatVector.OpenParameters(path, plan.Config), 0);

    /// <summary>A part of one of our checkpoints; its hash is checked first.</summary>
    /// <exception cref="WeightFileException">The part is damaged; the message names it.</exception>
    public static VectorFile OpenPart(string folder, CheckpointPart part)
    {
        var path = Path.Combine(folder, part.File);
        var found = HashOf(path);
        if (found != part.Xxh3) throw new WeightFileException($"{path} has XXH3 {found}, but the manifest says {part.Xxh3}; the checkpoint is damaged.");
        var file = WeightFile.Open(path);
        var vector = new FlatVector(file, [.. Enumerable.Range(0, file.Tensors.Count)]);
        if (vector.Count == part.ElementCount) return new VectorFile(vector, part.FirstElement);
        vector.Dispose();
        throw new WeightFileException($"{path} holds {vector.Count} elements, but the manifest says {part.ElementCount}; the checkpoint is damaged.");
    }

    /// <summary>Copies what this file has of elements <paramref name="offset"/>… of the flat vector.</summary>
    public void Read(long offset, Span<float> destination)
    {
        long start = Math.Max(offset, _firstElement), end = Math.Min(offset + destination.Length, _firstElement + _vector.Count);
        if (start < end) _vector.Read(start - _firstElement, destination[(int)(start - offset)..(int)(end - offset)]);
    }

    public void Dispose() => _vector.Dispose();

    private static string HashOf(string path)
    {
        try
        {
            return Xxh3.TextOf(Xxh3.OfFile(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeightFileException($"{path} does not exist; the checkpoint is damaged.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeightFileException($"{path} cannot be read ({exception.Message}); the checkpoint is damaged.", exception);
        }
    }
}
