using System.Globalization;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>Files that drawn settings name.</summary>
/// <param name="Data">Records of many lengths, short ones among them, so that there is padding.</param>
/// <param name="Records">How many they are.</param>
/// <param name="Validation">A validation set of its own.</param>
/// <param name="Weights">Weights to start from.</param>
internal sealed record DrawnFiles(string Data, int Records, string Validation, string Weights)
{
    private const int FewestCodons = 4;

    // One record in so many is in the validation set as well, cut elsewhere.
    private const int ValidationInterval = 8;

    // As GPT-NeoX' initializer_range.
    private const double WeightRange = 0.02;

    /// <summary>Writes them: of the same data, size and model the same content each time.</summary>
    /// <param name="folder">Where; it is created.</param>
    /// <param name="data">FASTA to take the records from; other kinds of data are taken as they are.</param>
    /// <param name="size">How many records, and how long.</param>
    /// <param name="model">What the weights are for.</param>
    public static DrawnFiles Write(string folder, string data, RunSize size, HuggingFaceConfig model)
    {
        Directory.CreateDirectory(folder);
        var weights = Path.Combine(folder, "weights.safetensors");
        AtomicFile.Write(weights, stream => WriteWeights(stream, model));
        try
        {
            var sequences = FastaReader.Read(data).Take(size.MostRecords).Select(record => Cut(record, size.LongestCodons)).ToArray();
            var files = new DrawnFiles(Path.Combine(folder, "records.fasta"), sequences.Length, Path.Combine(folder, "validation.fasta"), weights);
            WriteRecords(files.Data, sequences, stream: 0);
            WriteRecords(files.Validation, [.. sequences.Where((_, index) => index % ValidationInterval == 0)], stream: 1);
            return files;
        }
        catch (FastaException)
        {
            // GenSLM's HDF5, or nothing at all: the submission knows.
            return new DrawnFiles(data, DataFingerprint.Of(DataSources.Of(data)).Sets.Main, data, weights);
        }
    }

    private static string Cut(FastaRecord record, int codons) =>
        System.Text.Encoding.ASCII.GetString(record.Sequence.Span[..Math.Min(record.Sequence.Length, 3 * codons)]);

    private static void WriteRecords(string path, string[] sequences, ulong stream)
    {
        using var writer = new StreamWriter(path) { NewLine = "\n" };
        for (int i = 0; i < sequences.Length; i++)
        {
            int codons = sequences[i].Length / 3;
            int kept = Math.Min(codons, FewestCodons + CounterRandom.Below(Math.Max(1, codons - FewestCodons + 1), 0, RandomPurpose.Settings, stream, (ulong)i));
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $">record {i + 1}"));
            writer.WriteLine(sequences[i][..(3 * kept)]);
        }
    }

    private static void WriteWeights(Stream stream, HuggingFaceConfig model)
    {
        var tensors = GptNeoXStateDict.Describe(model);
        using var writer = new SafetensorsWriter(stream, tensors);
        for (int i = 0; i < tensors.Length; i++)
        {
            var values = new float[tensors[i].ElementCount];
            if (tensors[i].Name.EndsWith("layernorm.weight", StringComparison.Ordinal) || tensors[i].Name.EndsWith("layer_norm.weight", StringComparison.Ordinal)) Array.Fill(values, 1);
            else if (!tensors[i].Name.EndsWith(".bias", StringComparison.Ordinal)) Fill(values, (ulong)i);
            writer.Write(values);
        }

        writer.Complete();
    }

    private static void Fill(float[] values, ulong tensor)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(WeightRange * ((2 * CounterRandom.Unit(0, RandomPurpose.Settings, ulong.MaxValue - tensor, (ulong)i)) - 1));
    }
}
