using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>What a weight file holds, as a person wants to know it.</summary>
/// <param name="Architecture">The GPT-NeoX model's sizes; null when it is none.</param>
/// <param name="Problem">Why the file cannot be read as a model; empty when it can.</param>
/// <param name="Parameters">Places of the parameters in the file's list; of all tensors when it is no model.</param>
/// <param name="ParameterCount">Their elements.</param>
/// <param name="ElementTypes">Their element type; several, the most frequent first, with a comma between.</param>
/// <param name="Buffers">Names of known buffers beside them.</param>
public sealed record WeightContents(
    WeightArchitecture? Architecture, string Problem, ImmutableArray<int> Parameters, long ParameterCount, string ElementTypes, ImmutableArray<string> Buffers)
{
    /// <summary>Looks at names and shapes only.</summary>
    public static WeightContents Of(WeightFile file)
    {
        WeightArchitecture? architecture = null;
        try
        {
            architecture = WeightArchitecture.Recognise(file);
            var match = StateDictNames.Match(file.Tensors, architecture.Parameters(), file.Path);
            return Summarise(file, architecture, "", match.FileTensors, match.IgnoredBuffers);
        }
        catch (WeightFileException error)
        {
            return Summarise(file, architecture, error.Message, [.. Enumerable.Range(0, file.Tensors.Count)], []);
        }
    }

    private static WeightContents Summarise(
        WeightFile file, WeightArchitecture? architecture, string problem, ImmutableArray<int> parameters, ImmutableArray<string> buffers)
    {
        var types = parameters.GroupBy(place => file.Tensors[place].ElementType).OrderByDescending(group => group.Count()).Select(group => group.Key.Word());
        // Views may share elements, so a sum can exceed what the file has, but not 64 bits by much: it saturates.
        long count = 0;
        foreach (int place in parameters) count = (long)Math.Min((decimal)count + file.Tensors[place].ElementCount, long.MaxValue);
        return new WeightContents(architecture, problem, parameters, count, string.Join(", ", types), buffers);
    }
}
