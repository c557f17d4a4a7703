using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The rotary embedding's frequencies as a checkpoint stores them in its buffers <c>rotary_emb.inv_freq</c>. Training in
/// fp16 rounds them, and the transformers that GenSLM pins (4.21) computes with what it loaded; from 4.25 on they are
/// computed anew and the buffers are ignored.
/// </summary>
/// <param name="Values">Radians per position, one for each two turned dimensions.</param>
public sealed record RotaryFrequencies(ImmutableArray<float> Values)
{
    private const string BufferEnding = "rotary_emb.inv_freq";

    /// <summary>True for the name of such a buffer.</summary>
    public static bool IsBuffer(string name) => name.EndsWith(BufferEnding, StringComparison.Ordinal);

    /// <summary>The frequencies that a file stores; the buffers of all its layers must hold the same.</summary>
    /// <param name="file">The weights.</param>
    /// <param name="match">Its buffers.</param>
    /// <param name="config">Says how many frequencies there must be.</param>
    /// <exception cref="WeightFileException">The file stores none, another number, several different ones, or something that is no frequency.</exception>
    public static RotaryFrequencies Read(WeightFile file, StateDictMatch match, HuggingFaceConfig config)
    {
        float[]? first = null;
        string firstName = "";
        foreach (var name in match.IgnoredBuffers.Where(IsBuffer))
        {
            int tensor = file.IndexOf(name);
            var description = file.Tensors[tensor];
            if (description.Shape is not [var count] || count != config.RotaryDimensions / 2)
                throw new WeightFileException($"{file.Path}: {MessageText.Quote(name)} has shape {description.ShapeText}; [{config.RotaryDimensions / 2}] is expected for the configured model.");
            var values = new float[count];
            file.ReadFloat32(tensor, 0, values);
            if (Array.Exists(values, value => !float.IsFinite(value) || value < 0))
                throw new WeightFileException($"{file.Path}: {MessageText.Quote(name)} holds a value that is no frequency; finite numbers that are not negative are expected.");
            if (first is not null && !first.AsSpan().SequenceEqual(values))
                throw new WeightFileException($"{file.Path}: {MessageText.Quote(firstName)} and {MessageText.Quote(name)} hold different rotary frequencies; the same in all layers are expected.");
            (first, firstName) = (values, name);
        }

        return first is null ? throw Missing(file) : new RotaryFrequencies([.. first]);
    }

    /// <summary>The buffers that store them, one a layer.</summary>
    public IEnumerable<TensorDescription> Buffers(int layerCount) => Enumerable.Range(0, layerCount).Select(layer =>
        new TensorDescription($"gpt_neox.layers.{layer}.attention.{BufferEnding}", TensorElementType.Float32, [Values.Length]));

    /// <summary>What to say of a file that stores none.</summary>
    internal static WeightFileException Missing(WeightFile file) =>
        new($"{file.Path}: the file stores no rotary frequencies ({BufferEnding}); leave --rotary-from-checkpoint away, and those of the configuration are used.");

    public bool Equals(RotaryFrequencies? other) => other is not null && Values.AsSpan().SequenceEqual(other.Values.AsSpan());

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (float value in Values) hash.Add(value);
        return hash.ToHashCode();
    }
}
