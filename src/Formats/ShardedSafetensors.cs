using System.Collections.Immutable;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Several safetensors files held together by a <c>model.safetensors.index.json</c>, whose <c>weight_map</c> says which
/// file holds which tensor. Index and files must agree exactly.
/// </summary>
internal sealed class ShardedSafetensors : WeightFile
{
    private const int MostShards = 1000;

    private readonly ImmutableArray<SafetensorsFile> _shards;
    private readonly ImmutableArray<(SafetensorsFile Shard, int Tensor)> _places;

    private ShardedSafetensors(string path, ImmutableArray<SafetensorsFile> shards, IReadOnlyDictionary<string, string> metadata)
        : base(path, [.. shards.SelectMany(shard => shard.Tensors)], metadata)
    {
        _shards = shards;
        _places = [.. shards.SelectMany(shard => Enumerable.Range(0, shard.Tensors.Count).Select(tensor => (shard, tensor)))];
    }

    public static new ShardedSafetensors Open(string indexPath)
    {
        var fileOfTensor = ReadIndex(indexPath);
        var fileNames = fileOfTensor.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (fileNames.Count > MostShards)
            throw new WeightFileException($"{indexPath}: the index names {fileNames.Count} files; at most {MostShards} are accepted.");

        var shards = ImmutableArray.CreateBuilder<SafetensorsFile>(fileNames.Count);
        try
        {
            foreach (var fileName in fileNames)
            {
                var shard = SafetensorsFile.Open(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(indexPath) ?? "", fileName));
                shards.Add(shard);
                CheckShard(indexPath, fileName, shard, fileOfTensor);
            }

            var metadata = shards.Count > 0 ? shards[0].Metadata : ImmutableDictionary<string, string>.Empty;
            return new ShardedSafetensors(indexPath, shards.ToImmutable(), metadata);
        }
        catch
        {
            foreach (var shard in shards) shard.Dispose();
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var shard in _shards) shard.Dispose();
    }

    private protected override void ReadElements(int tensor, long firstElement, Span<byte> destination) =>
        _places[tensor].Shard.ReadRaw(_places[tensor].Tensor, firstElement, destination);

    private static void CheckShard(string indexPath, string fileName, SafetensorsFile shard, Dictionary<string, string> fileOfTensor)
    {
        foreach (var tensor in shard.Tensors)
        {
            if (fileOfTensor.GetValueOrDefault(tensor.Name) != fileName)
                throw new WeightFileException(
                    $"{shard.Path}: the file holds {MessageText.Quote(tensor.Name)}, which {indexPath} does not expect there.");
        }

        foreach (var (name, file) in fileOfTensor)
        {
            if (file == fileName && shard.IndexOf(name) < 0)
                throw new WeightFileException(
                    $"{shard.Path}: the tensor {MessageText.Quote(name)}, which {indexPath} places there, is missing.");
        }
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        using var file = ContentFile.Open(path);
        var bytes = file.ReadBlock(0, file.Length, SafetensorsHeader.MaximumLength, "the index");
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            {
                throw file.Bad("there is no weight_map; an index of sharded safetensors is expected.");
            }

            var fileOfTensor = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in map.EnumerateObject())
            {
                var name = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "";
                // A name, not a path: an index must not reach outside its folder.
                if (name.Length == 0 || name.AsSpan().IndexOfAny("/\\:\0") >= 0 || name is "." or "..")
                {
                    throw file.Bad($"weight_map places {MessageText.Quote(entry.Name)} in {MessageText.Quote(entry.Value.GetRawText())}; " +
                        "the name of a file in the same folder is expected.");
                }

                fileOfTensor.Add(entry.Name, name);
            }

            return fileOfTensor;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new WeightFileException($"{path}: the index is not valid JSON ({error.Message})", error);
        }
    }
}
