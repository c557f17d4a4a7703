using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>What is wanted of a conversion.</summary>
public sealed record ConversionOptions
{
    /// <summary>What the parameters are stored in; null: as in the input, fp64 as fp32.</summary>
    public TensorElementType? ElementType { get; init; }

    /// <summary>In front of Hugging Face's names; null: what the input has.</summary>
    public string? KeyPrefix { get; init; }

    /// <summary>Bytes of tensors that a file of a folder may have.</summary>
    public long LargestShard { get; init; } = 5_000_000_000;

    /// <summary>The architecture; null: the config.json beside the input, or else the preset with the tensors' sizes.</summary>
    public HuggingFaceConfig? Config { get; init; }

    /// <summary>Keep the stored rotary frequencies; all other buffers are left out, as they follow from the configuration.</summary>
    public bool KeepRotaryFrequencies { get; init; }
}

/// <summary>What a conversion wrote.</summary>
/// <param name="Format">Of the output.</param>
/// <param name="Parameters">How many parameters were written.</param>
/// <param name="LeftOut">Names of the input's buffers that were not.</param>
public sealed record ConversionReport(string Format, long Parameters, ImmutableArray<string> LeftOut);

/// <summary>
/// Rewrites GPT-NeoX weights in another format, element type or naming: tensor by tensor, in state-dict order, through a
/// buffer of a few megabytes. The output appears as a whole or not at all.
/// </summary>
public static class WeightConversion
{
    private const int BufferLength = 1 << 20;

    private static readonly string[] s_archives = [".pth", ".pt"];
    private static readonly string[] s_notWritten = [".bin", ".ckpt", ".json", ".h5", ".npz", ".onnx", ".zip"];

    /// <param name="input">Whatever <see cref="WeightFile.Open"/> reads.</param>
    /// <param name="output">Ends in .pth or .pt for a PyTorch archive, in .safetensors for one such file; else a Hugging Face folder.</param>
    /// <param name="options">What is wanted.</param>
    /// <exception cref="WeightFileException">The input is not sound, its values do not fit the type, or the output's name cannot be; one sentence.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public static ConversionReport Run(string input, string output, ConversionOptions options)
    {
        var ending = EndingOf(output);
        if (s_notWritten.Contains(ending))
            throw new WeightFileException($"{output}: {ending} is not written; a name that ends in .pth, .pt or .safetensors, or a folder's name is expected.");
        if (Path.Exists(output)) throw new WeightFileException($"{output} exists already; a name that is free is expected.");
        bool isFolder = IsFolder(output);
        using var file = WeightFile.Open(input);
        var plan = ConversionPlan.Make(file, input, output, isFolder, options);
        if (isFolder)
        {
            using var folder = AtomicFolder.Create(output);
            using (var writer = new HuggingFaceFolderWriter(folder, plan.Config!, plan.Tensors, options.LargestShard)) Copy(file, plan, writer);
            folder.Commit();
        }
        else
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!);
            AtomicFile.Write(output, stream =>
            {
                using WeightWriter writer = ending == ".safetensors"
                    ? new SafetensorsWriter(stream, plan.Tensors, HuggingFaceFolderWriter.ForPyTorch)
                    : new TorchArchiveWriter(stream, Path.GetFileNameWithoutExtension(output), plan.Tensors);
                Copy(file, plan, writer);
            });
        }

        return new ConversionReport(isFolder ? "Hugging Face folder" : ending == ".safetensors" ? "safetensors" : "PyTorch archive", plan.ParameterCount, plan.LeftOut);
    }

    /// <summary>True when an output of this name is a folder.</summary>
    public static bool IsFolder(string output) => EndingOf(output) is var ending && !s_archives.Contains(ending) && ending != ".safetensors";

    private static string EndingOf(string output) => Path.GetExtension(Path.TrimEndingDirectorySeparator(output)).ToLowerInvariant();

    private static void Copy(WeightFile file, ConversionPlan plan, WeightWriter writer)
    {
        var raw = new byte[BufferLength * sizeof(float)];
        var values = new float[BufferLength];
        for (int i = 0; i < plan.Tensors.Length; i++)
        {
            int source = plan.Sources[i];
            bool asItIs = file.Tensors[source].ElementType == plan.Tensors[i].ElementType;
            int size = ElementConversion.SizeOf(plan.Tensors[i].ElementType);
            for (long done = 0, count = plan.Tensors[i].ElementCount; done < count;)
            {
                int piece = (int)Math.Min(count - done, BufferLength);
                if (asItIs)
                {
                    file.ReadRaw(source, done, raw.AsSpan(0, piece * size));
                    writer.WriteRaw(raw.AsSpan(0, piece * size));
                }
                else
                {
                    file.ReadFloat32(source, done, values.AsSpan(0, piece));
                    try
                    {
                        writer.Write(values.AsSpan(0, piece));
                    }
                    catch (OverflowException error)
                    {
                        throw new WeightFileException($"{file.Path}: {error.Message}", error);
                    }
                }

                done += piece;
            }
        }

        writer.Complete();
    }
}
