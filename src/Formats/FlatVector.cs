using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>Tensors of a file, end to end, as one vector that is read piece by piece.</summary>
public sealed class FlatVector : IDisposable
{
    private readonly WeightFile _file;
    private readonly ImmutableArray<int> _tensors;
    private readonly long[] _starts;

    /// <param name="file">Closed with the vector.</param>
    /// <param name="tensors">Places in the file's list, in the order of the vector.</param>
    public FlatVector(WeightFile file, ImmutableArray<int> tensors)
    {
        _file = file;
        _tensors = tensors;
        _starts = new long[tensors.Length + 1];
        for (int i = 0; i < tensors.Length; i++) _starts[i + 1] = checked(_starts[i] + file.Tensors[tensors[i]].ElementCount);
    }

    /// <summary>How many elements the vector has.</summary>
    public long Count => _starts[^1];

    /// <summary>The parameters of a model in state-dict order: the flat parameter vector of a run.</summary>
    /// <exception cref="WeightFileException">The file is not sound, or its tensors are another architecture's.</exception>
    public static FlatVector OpenParameters(string path, HuggingFaceConfig config)
    {
        var file = WeightFile.Open(path);
        try
        {
            return new FlatVector(file, StateDictNames.Match(file.Tensors, GptNeoXStateDict.Describe(config), path).FileTensors);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads elements <paramref name="offset"/>… of the vector as fp32, from the file straight into <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The vector has no such elements.</exception>
    /// <exception cref="WeightFileException">The file was cut short, or a tensor holds integers.</exception>
    public void Read(long offset, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Count - destination.Length);
        // The last tensor that begins at the offset or before; empty ones end where they begin.
        int index = Array.BinarySearch(_starts, offset);
        for (index = index < 0 ? ~index - 1 : index; !destination.IsEmpty; index++)
        {
            int count = (int)Math.Clamp(_starts[index + 1] - offset, 0, destination.Length);
            if (count == 0) continue;
            _file.ReadFloat32(_tensors[index], offset - _starts[index], destination[..count]);
            destination = destination[count..];
            offset += count;
        }
    }

    public void Dispose() => _file.Dispose();
}
