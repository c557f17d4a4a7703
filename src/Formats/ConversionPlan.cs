using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>What a conversion writes and where it comes from, decided and checked before anything is written.</summary>
/// <param name="Tensors">What is written, in order.</param>
/// <param name="Sources">For each, its place in the input.</param>
/// <param name="ParameterCount">Elements of all parameters.</param>
/// <param name="LeftOut">Buffers of the input that are not written.</param>
/// <param name="Config">The architecture; null where the output needs none.</param>
internal sealed record ConversionPlan(
    ImmutableArray<TensorDescription> Tensors, ImmutableArray<int> Sources, long ParameterCount, ImmutableArray<string> LeftOut, HuggingFaceConfig? Config)
{
    public static ConversionPlan Make(WeightFile file, string input, string output, bool isFolder, ConversionOptions options)
    {
        var architecture = WeightArchitecture.Recognise(file);
        var config = options.Config ?? (isFolder ? ConfigBeside(input, architecture) ?? Preset(file, architecture) : null);
        var expected = config is null ? architecture.Parameters() : GptNeoXStateDict.Describe(config);
        var match = StateDictNames.Match(file.Tensors, expected, file.Path);
        if (config is not null && !architecture.Fits(config))
            throw new WeightFileException($"{file.Path}: the model has {architecture.RotaryPairs * 2} rotary dimensions a head; the configuration's {config.HeadCount} heads have {config.RotaryDimensions}.");

        if (options.KeepRotaryFrequencies && !match.IgnoredBuffers.Any(RotaryFrequencies.IsBuffer)) throw RotaryFrequencies.Missing(file);
        var prefix = options.KeyPrefix ?? (isFolder ? "" : match.Prefix);
        if (isFolder && prefix.Length > 0)
            throw new WeightFileException($"{output}: the key prefix is {MessageText.Quote(prefix)}; transformers expects a folder's names without one.");
        var tensors = ImmutableArray.CreateBuilder<TensorDescription>();
        var sources = ImmutableArray.CreateBuilder<int>();
        var leftOut = ImmutableArray.CreateBuilder<string>();
        for (int i = 0; i < expected.Length; i++) Add(expected[i].Name, match.FileTensors[i]);
        foreach (var name in match.IgnoredBuffers)
        {
            if (options.KeepRotaryFrequencies && RotaryFrequencies.IsBuffer(name)) Add(name[match.Prefix.Length..], file.IndexOf(name));
            else leftOut.Add(name);
        }

        return new ConversionPlan(tensors.ToImmutable(), sources.ToImmutable(), expected.Sum(tensor => tensor.ElementCount), leftOut.ToImmutable(), config);

        void Add(string name, int source)
        {
            var found = file.Tensors[source];
            var type = options.ElementType ?? (found.ElementType == TensorElementType.Float64 ? TensorElementType.Float32 : found.ElementType);
            // Rounded frequencies would be others.
            if (RotaryFrequencies.IsBuffer(name)) type = TensorElementType.Float32;
            tensors.Add(new TensorDescription(prefix + name, type, found.Shape));
            sources.Add(source);
        }
    }

    private static HuggingFaceConfig? ConfigBeside(string input, WeightArchitecture architecture)
    {
        var folder = Directory.Exists(input) ? input : Path.GetDirectoryName(Path.GetFullPath(input))!;
        var path = Path.Combine(folder, "config.json");
        if (!File.Exists(path)) return null;
        var config = HuggingFaceConfig.Read(path);
        // In a folder of its own it must fit, and Match will say what does not; beside a file it may be about something else.
        return Directory.Exists(input) || architecture.Fits(config) ? config : null;
    }

    private static HuggingFaceConfig Preset(WeightFile file, WeightArchitecture architecture) =>
        architecture.PresetName is { } name
            ? ModelPresets.Find(name)!
            : throw new WeightFileException($"{file.Path}: the model ({architecture}) is no preset, and the number of its heads is not in the file; " +
                "give --model with its config.json.");
}
