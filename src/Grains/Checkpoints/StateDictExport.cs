using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Writes a checkpoint's weights as the Python world reads them: <c>best_model_state_dict.pth</c>.</summary>
internal static class StateDictExport
{
    public const string FileName = "best_model_state_dict.pth";

    /// <summary>Exports <paramref name="entry"/> into the run's output folder and returns the file's path.</summary>
    public static string Write(RunSpec spec, HuggingFaceConfig config, CheckpointFolder checkpoints, CheckpointEntry entry)
    {
        var path = Path.Combine(spec.Output, FileName);
        var frequencies = config.RotaryFrequencies;
        var tensors = GptNeoXStateDict.Describe(config).Concat(frequencies?.Buffers(config.LayerCount) ?? [])
            .Select(tensor => tensor with { Name = spec.KeyPrefix + tensor.Name }).ToArray();
        var manifest = checkpoints.Manifest(entry);
        AtomicFile.Write(path, stream =>
        {
            using var writer = new TorchArchiveWriter(stream, Path.GetFileNameWithoutExtension(FileName), tensors);
            var buffer = new float[1 << 18];
            foreach (var part in manifest.Parts.Where(part => part.Vector == CheckpointWriter.VectorName(BlockKind.Parameters)))
            {
                using var file = VectorFile.OpenPart(checkpoints.PathOf(entry), part);
                for (long done = 0; done < part.ElementCount;)
                {
                    var values = buffer.AsSpan(0, (int)Math.Min(buffer.Length, part.ElementCount - done));
                    file.Read(part.FirstElement + done, values);
                    writer.Write(values);
                    done += values.Length;
                }
            }

            // What computes with stored frequencies finds in the export those that the weights were trained with.
            for (int layer = 0; frequencies is not null && layer < config.LayerCount; layer++) writer.Write(frequencies.Values.AsSpan());
            writer.Complete();
        });
        return path;
    }
}
