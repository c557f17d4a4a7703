using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Several files held together by a <c>model.safetensors.index.json</c> or <c>pytorch_model.bin.index.json</c>, whose
/// <c>weight_map</c> says which file holds which tensor. Index and files must agree exactly.
/// </summary>
internal sealed class ShardedWeights : WeightFile
{
    private const int MostShards = 1000;

    private readonly ImmutableArray<WeightFile> _shards;
    private readonly ImmutableArray<(WeightFile Shard, int Tensor)> _places;

    public override string FormatName => _shards.Length == 1 ? $"{_shards[0].FormatName}, 1 file" : $"{_shards[0].FormatName}, {_shards.Length} files";

    private ShardedWeights(string path, ImmutableArray<WeightFile> shards, IReadOnlyDictionary<string, string> metadata)
        : base(path, [.. shards.SelectMany(shard => shard.Tensors)], metadata)
    {
        _shards = shards;
        _places = [.. shards.SelectMany(shard => Enumerable.Range(0, shard.Tensors.Count).Select(tensor => (shard, tensor)))];
    }

    public static new ShardedWeights Open(string indexPath)
    {
        var fileOfTensor = ShardIndex.Read(indexPath);
        var fileNames = fileOfTensor.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (fileNames.Count > MostShards)
            throw new WeightFileException($"{indexPath}: the index names {fileNames.Count} files; at most {MostShards} are accepted.");
        if (fileNames.Count == 0) throw new WeightFileException($"{indexPath}: the index's weight_map is empty; names of tensors and their files are expected.");

        var shards = ImmutableArray.CreateBuilder<WeightFile>(fileNames.Count);
        try
        {
            foreach (var fileName in fileNames)
            {
                var shard = WeightFileKind.OpenFile(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(indexPath) ?? "", fileName));
                shards.Add(shard);
                CheckShard(indexPath, fileName, shard, fileOfTensor);
            }

            return new ShardedWeights(indexPath, shards.ToImmutable(), shards[0].Metadata);
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

    internal override void ReadElements(int tensor, long firstElement, Span<byte> destination) =>
        _places[tensor].Shard.ReadElements(_places[tensor].Tensor, firstElement, destination);

    private static void CheckShard(string indexPath, string fileName, WeightFile shard, Dictionary<string, string> fileOfTensor)
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
}
