using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Formats;

/// <summary>One safetensors file of a checkpoint.</summary>
/// <param name="File">Its name within the checkpoint folder.</param>
/// <param name="Vector"><c>parameters</c>, <c>firstMoment</c> or <c>secondMoment</c>.</param>
/// <param name="FirstElement">Where in the flat vector the part begins.</param>
/// <param name="ElementCount">How many elements it holds.</param>
/// <param name="SizeBytes">Size of the file.</param>
/// <param name="Xxh3">XXH3-64 of the file, in hexadecimal.</param>
public sealed record CheckpointPart(string File, string Vector, long FirstElement, long ElementCount, long SizeBytes, string Xxh3);

/// <summary>
/// What a checkpoint folder holds, in its <c>manifest.json</c>: the last file to be written before the folder gets its
/// name, so that a folder with a manifest is whole.
/// </summary>
public sealed record CheckpointManifest
{
    public const string FileName = "manifest.json";
    public const int CurrentFormat = 1;

    public int Format { get; init; } = CurrentFormat;
    public string RunId { get; init; } = "";

    /// <summary>Optimizer steps applied to these parameters.</summary>
    public long Step { get; init; }

    /// <summary>From 0.</summary>
    public int Epoch { get; init; }

    /// <summary>Validation loss of these parameters; absent when they were not validated.</summary>
    public double? ValidationLoss { get; init; }
    public long ParameterCount { get; init; }

    /// <summary>SHA-256 over the fp32 parameters, little-endian, in state-dict order.</summary>
    public string WeightsSha256 { get; init; } = "";
    public ImmutableArray<CheckpointPart> Parts { get; init; } = [];

    /// <summary>Head of the run's ledger after <see cref="Step"/>, see <see cref="LedgerFile"/>; absent in checkpoints from before there were ledgers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? LedgerHead { get; init; }

    /// <summary>What the run has to remember besides; its meaning belongs to the run.</summary>
    public JsonElement Progress { get; init; }

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, Options);

    /// <summary>Reads the manifest of the checkpoint in <paramref name="folder"/>.</summary>
    /// <exception cref="WeightFileException">There is none, or it is not one of ours.</exception>
    public static CheckpointManifest Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            var manifest = JsonSerializer.Deserialize<CheckpointManifest>(File.ReadAllBytes(path), Options)
                ?? throw new WeightFileException($"{path} is empty; expected a checkpoint manifest.");
            return manifest.Format == CurrentFormat
                ? manifest
                : throw new WeightFileException($"{path} has format {manifest.Format}; this version reads format {CurrentFormat}.");
        }
        catch (JsonException exception)
        {
            throw new WeightFileException($"{path} is not a checkpoint manifest: {MessageText.Quote(exception)}");
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeightFileException($"{path} does not exist; expected a checkpoint folder with a manifest.");
        }
    }
}
