using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>Where each expected parameter is in a file, and what else was found there.</summary>
/// <param name="FileTensors">For every expected tensor, in order, its place in the file's list.</param>
/// <param name="Prefix">What precedes Hugging Face's names in the file, for example <c>model.</c>; often empty.</param>
/// <param name="IgnoredBuffers">Names of buffers in the file that are not parameters and were left out.</param>
public sealed record StateDictMatch(ImmutableArray<int> FileTensors, string Prefix, ImmutableArray<string> IgnoredBuffers);

/// <summary>
/// Finds Hugging Face's GPT-NeoX parameters in a file whose names may stand behind the prefixes that wrappers leave:
/// GenSLM's <c>model.</c> (files from before May 2023), Lightning's, DDP's <c>module.</c>, torch.compile's <c>_orig_mod.</c>.
/// </summary>
public static class StateDictNames
{
    private const string Anchor = "gpt_neox.embed_in.weight";

    private static readonly ImmutableArray<string> s_wrappers = ["model.", "module.", "_forward_module.", "_orig_mod."];

    /// <summary>Finds every expected tensor in the file; buffers of older versions are ignored, anything else is refused.</summary>
    /// <param name="fileTensors">What the file holds.</param>
    /// <param name="expected">The model's parameters, in state-dict order.</param>
    /// <param name="filePath">Named in errors.</param>
    /// <exception cref="WeightFileException">
    /// A parameter is missing or of another shape, or the file holds something else; the sentence names the first.
    /// </exception>
    public static StateDictMatch Match(
        IReadOnlyList<TensorDescription> fileTensors, IReadOnlyList<TensorDescription> expected, string filePath)
    {
        var prefix = FindPrefix(fileTensors, filePath);
        var places = new Dictionary<string, int>(fileTensors.Count, StringComparer.Ordinal);
        for (int i = 0; i < fileTensors.Count; i++)
        {
            if (fileTensors[i].Name.StartsWith(prefix, StringComparison.Ordinal)) places[fileTensors[i].Name[prefix.Length..]] = i;
        }

        RefuseMissing(expected.Where(parameter => !places.ContainsKey(parameter.Name)).ToList(), prefix, filePath);
        var found = ImmutableArray.CreateBuilder<int>(expected.Count);
        var used = new bool[fileTensors.Count];
        foreach (var parameter in expected)
        {
            int place = places[parameter.Name];
            Check(fileTensors[place], parameter, filePath);
            found.Add(place);
            used[place] = true;
        }

        var ignored = ImmutableArray.CreateBuilder<string>();
        for (int i = 0; i < used.Length; i++)
        {
            if (used[i]) continue;
            var name = fileTensors[i].Name;
            if (!IsBuffer(name, prefix))
            {
                throw new WeightFileException($"{filePath}: the tensor {MessageText.Quote(name)} of shape {fileTensors[i].ShapeText} " +
                    "is not a parameter of the configured model; it may have fewer layers or other parts than the file.");
            }

            ignored.Add(name);
        }

        return new StateDictMatch(found.DrainToImmutable(), prefix, ignored.DrainToImmutable());
    }

    // strict=False would go on with random numbers in their place.
    private static void RefuseMissing(List<TensorDescription> missing, string prefix, string filePath)
    {
        const int Named = 3;
        if (missing.Count == 0) return;
        if (missing is [var one]) throw new WeightFileException($"{filePath}: the tensor '{prefix}{one.Name}' of shape {one.ShapeText} is missing.");
        var names = string.Join(", ", missing.Take(Named).Select(tensor => $"'{prefix}{tensor.Name}'"));
        throw new WeightFileException($"{filePath}: {missing.Count} tensors are missing: {names}{(missing.Count > Named ? ", …" : "")}.");
    }

    private static void Check(TensorDescription found, TensorDescription expected, string filePath)
    {
        if (!found.Shape.AsSpan().SequenceEqual(expected.Shape.AsSpan()))
        {
            throw new WeightFileException($"{filePath}: the tensor {MessageText.Quote(found.Name)} has shape {found.ShapeText}; " +
                $"the configured model expects {expected.ShapeText}.");
        }

        if (!ElementConversion.IsFloating(found.ElementType))
        {
            throw new WeightFileException($"{filePath}: the tensor {MessageText.Quote(found.Name)} holds {found.ElementType}; " +
                "a floating-point type is expected.");
        }
    }

    /// <summary>What precedes Hugging Face's names in a file; often empty.</summary>
    /// <exception cref="WeightFileException">No input embedding has a name that is recognised, or several have.</exception>
    public static string FindPrefix(IReadOnlyList<TensorDescription> fileTensors, string filePath)
    {
        string? anchor = null;
        foreach (var tensor in fileTensors)
        {
            var name = tensor.Name.AsSpan();
            if (!name.EndsWith(Anchor, StringComparison.Ordinal) || !IsPrefix(name[..^Anchor.Length])) continue;
            if (anchor is not null)
            {
                throw new WeightFileException($"{filePath}: both {MessageText.Quote(anchor)} and {MessageText.Quote(tensor.Name)} " +
                    "could be the input embedding; a file with one model is expected.");
            }

            anchor = tensor.Name;
        }

        if (anchor is not null) return anchor[..^Anchor.Length];
        var first = fileTensors.Count == 0 ? "no tensors" : $"{fileTensors.Count} tensors, the first named {MessageText.Quote(fileTensors[0].Name)}";
        throw new WeightFileException($"{filePath}: there is no '{Anchor}', with or without a prefix such as 'model.' (the file holds {first}); " +
            "a GPT-NeoX causal language model is expected.");
    }

    private static bool IsPrefix(ReadOnlySpan<char> prefix)
    {
        while (!prefix.IsEmpty)
        {
            int length = 0;
            foreach (var wrapper in s_wrappers)
            {
                if (prefix.StartsWith(wrapper, StringComparison.Ordinal)) length = wrapper.Length;
            }

            if (length == 0) return false;
            prefix = prefix[length..];
        }

        return true;
    }

    /// <summary>True for a known buffer of a file whose names have this prefix.</summary>
    public static bool IsBuffer(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal) && IsBuffer(name.AsSpan(prefix.Length));

    // Buffers that transformers kept in the state dict at one time or another; all follow from the configuration.
    private static bool IsBuffer(ReadOnlySpan<char> name)
    {
        if (name.SequenceEqual("gpt_neox.rotary_emb.inv_freq")) return true;
        const string layers = "gpt_neox.layers.";
        if (!name.StartsWith(layers, StringComparison.Ordinal)) return false;
        name = name[layers.Length..];
        int digits = name.IndexOfAnyExceptInRange('0', '9');
        return digits > 0 && name[digits..] is ".attention.bias" or ".attention.masked_bias" or ".attention.rotary_emb.inv_freq"
            or ".attention.rotary_emb.cos_cached" or ".attention.rotary_emb.sin_cached";
    }
}
