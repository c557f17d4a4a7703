using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>How far one tensor of two files is apart.</summary>
/// <param name="Name">Without the files' prefixes.</param>
/// <param name="First">In the first file; null when it is missing there.</param>
/// <param name="Second">In the second.</param>
/// <param name="MaximumAbsolute">Largest |a − b|; infinite where only one of the two is NaN or the shapes differ.</param>
/// <param name="MaximumRelative">Largest |a − b| ÷ max(|a|, |b|); 0 where both are 0.</param>
public sealed record TensorDifference(
    string Name, TensorDescription? First, TensorDescription? Second, double MaximumAbsolute, double MaximumRelative)
{
    /// <summary>True when values could be compared.</summary>
    public bool IsComparable => First is not null && Second is not null && First.Shape.AsSpan().SequenceEqual(Second.Shape.AsSpan());
}

/// <summary>Compares the values of two weight files, tensor by tensor, whatever their formats, element types, prefixes and buffers.</summary>
public static class WeightComparison
{
    private const int BufferLength = 1 << 18;

    /// <summary>
    /// All tensors of both, in the order of the first. Values are compared as fp32, integers as 64-bit. Where a file holds a
    /// GPT-NeoX model its prefix and its known buffers do not count.
    /// </summary>
    /// <exception cref="WeightFileException">A file was cut short while it was read.</exception>
    public static IEnumerable<TensorDifference> Compare(WeightFile first, WeightFile second)
    {
        var left = Names(first);
        var right = Names(second);
        foreach (var (name, place) in left)
        {
            if (!right.TryGetValue(name, out int other))
            {
                yield return new TensorDifference(name, first.Tensors[place], null, double.PositiveInfinity, double.PositiveInfinity);
                continue;
            }

            var difference = new TensorDifference(name, first.Tensors[place], second.Tensors[other], double.PositiveInfinity, double.PositiveInfinity);
            if (difference.IsComparable)
            {
                var (absolute, relative) = Compare(first, place, second, other);
                difference = difference with { MaximumAbsolute = absolute, MaximumRelative = relative };
            }

            yield return difference;
        }

        foreach (var (name, place) in right)
        {
            if (!left.ContainsKey(name)) yield return new TensorDifference(name, null, second.Tensors[place], double.PositiveInfinity, double.PositiveInfinity);
        }
    }

    private static OrderedDictionary<string, int> Names(WeightFile file)
    {
        var prefix = PrefixOf(file);
        var names = new OrderedDictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < file.Tensors.Count; i++)
        {
            var name = file.Tensors[i].Name;
            if (prefix is not null && StateDictNames.IsBuffer(name, prefix)) continue;
            names.Add(prefix is not null && name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name, i);
        }

        return names;
    }

    private static string? PrefixOf(WeightFile file)
    {
        try
        {
            return StateDictNames.FindPrefix(file.Tensors, file.Path);
        }
        catch (WeightFileException)
        {
            // Not this kind of model: compared name by name.
            return null;
        }
    }

    private static (double Absolute, double Relative) Compare(WeightFile first, int left, WeightFile second, int right)
    {
        bool integers = !ElementConversion.IsFloating(first.Tensors[left].ElementType) && !ElementConversion.IsFloating(second.Tensors[right].ElementType);
        double[] a = new double[BufferLength], b = new double[BufferLength];
        double absolute = 0, relative = 0;
        for (long done = 0, count = first.Tensors[left].ElementCount; done < count;)
        {
            int piece = (int)Math.Min(count - done, BufferLength);
            Read(first, left, done, a.AsSpan(0, piece), integers);
            Read(second, right, done, b.AsSpan(0, piece), integers);
            for (int i = 0; i < piece; i++)
            {
                if (a[i] == b[i] || (double.IsNaN(a[i]) && double.IsNaN(b[i]))) continue;
                double apart = Math.Abs(a[i] - b[i]);
                if (!double.IsFinite(apart)) return (double.PositiveInfinity, double.PositiveInfinity);
                absolute = Math.Max(absolute, apart);
                relative = Math.Max(relative, apart / Math.Max(Math.Abs(a[i]), Math.Abs(b[i])));
            }

            done += piece;
        }

        return (absolute, relative);
    }

    private static void Read(WeightFile file, int tensor, long start, Span<double> destination, bool integers)
    {
        if (ElementConversion.IsFloating(file.Tensors[tensor].ElementType))
        {
            var values = new float[destination.Length];
            file.ReadFloat32(tensor, start, values);
            for (int i = 0; i < values.Length; i++) destination[i] = values[i];
            return;
        }

        var numbers = new long[destination.Length];
        file.ReadInt64(tensor, start, numbers);
        for (int i = 0; i < numbers.Length; i++) destination[i] = numbers[i];
    }
}
