using System.Globalization;

namespace GenSlmOrleans.Formats;

/// <summary>Finds the state dict in what a PyTorch file's pickle holds.</summary>
internal static class TorchStateDict
{
    private const string CheckpointKey = "state_dict";

    /// <summary>The named tensors, in the order of the dictionary, and the plain values beside them.</summary>
    public static (List<(string Name, PickleTensor Tensor)> Tensors, Dictionary<string, string> Metadata) Find(object? root, ContentFile file)
    {
        if (root is not PickleDictionary dictionary)
            throw file.Bad($"the file holds {Describe(root)}; a state dict, or a dictionary with '{CheckpointKey}', is expected.");

        var inner = dictionary.Items.Where(item => item.Key is CheckpointKey).ToList();
        if (inner.Count > 1) throw file.Bad($"the file has '{CheckpointKey}' twice.");
        if (inner is [var (_, value)])
        {
            var stateDict = value as PickleDictionary
                ?? throw file.Bad($"the file's '{CheckpointKey}' is {Describe(value)}; a dictionary of tensors is expected.");
            return (Tensors(stateDict, file), PlainValues(dictionary));
        }

        if (DeepSpeedCheckpoint.IsPart(dictionary.Items.Select(item => item.Key as string)))
            throw file.Bad(DeepSpeedCheckpoint.Sentence(Path.GetDirectoryName(Path.GetFullPath(file.Path))!));
        if (!dictionary.Items.Any(item => item is (string, PickleTensor)))
        {
            var first = dictionary.Items.Take(8).Select(item => item.Key is string key ? MessageText.Quote(key) : Describe(item.Key));
            var keys = string.Join(", ", first);
            throw file.Bad($"the file holds a dictionary with the keys {(keys.Length == 0 ? "(none)" : keys)}; " +
                $"tensors by name, or one of the name '{CheckpointKey}', are expected.");
        }

        return (Tensors(dictionary, file), []);
    }

    private static List<(string, PickleTensor)> Tensors(PickleDictionary stateDict, ContentFile file)
    {
        var tensors = new List<(string, PickleTensor)>(stateDict.Items.Count);
        foreach (var (key, value) in stateDict.Items)
        {
            if (key is not string name) throw file.Bad($"the state dict has {Describe(key)} as a key; names are expected.");
            tensors.Add((name, value as PickleTensor
                ?? throw file.Bad($"the state dict's {MessageText.Quote(name)} is {Describe(value)}; a tensor is expected.")));
        }

        return tensors;
    }

    private static Dictionary<string, string> PlainValues(PickleDictionary checkpoint)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in checkpoint.Items)
        {
            if (item is (string key, string or long or double or bool)) values[key] = Convert.ToString(item.Value, CultureInfo.InvariantCulture)!;
        }

        return values;
    }

    /// <summary>A value in the words of an error message.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "None",
        string text => $"the text {MessageText.Quote(text)}",
        long number => string.Create(CultureInfo.InvariantCulture, $"the number {number}"),
        PickleDictionary => "a dictionary",
        PickleList => "a list",
        PickleTuple => "a tuple",
        PickleTensor => "a tensor",
        PickleGlobal { Name: var name } => $"the name {MessageText.Quote(name)}",
        PickleOpaque { Origin: var origin } => $"something made by {MessageText.Quote(origin)}, which is not run",
        _ => $"a {value.GetType().Name}",
    };
}
