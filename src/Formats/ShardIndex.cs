using System.Text.Json;
using System.Text.Unicode;

namespace GenSlmOrleans.Formats;

/// <summary>The <c>weight_map</c> of an index of sharded weights: which file holds which tensor. Read as a stream, so that no other part costs memory.</summary>
internal static class ShardIndex
{
    private const string MapKey = "weight_map";
    private const int LongestIndex = 64 << 20;
    private const int LongestFileName = 255;

    // Bytes of tensors' names: as text they take twice as many.
    private const int MostText = 8 << 20;

    /// <summary>The file of each tensor.</summary>
    /// <exception cref="WeightFileException">There is no such file, or it is not an index.</exception>
    public static Dictionary<string, string> Read(string path)
    {
        using var file = ContentFile.Open(path);
        var json = file.ReadBlock(0, file.Length, LongestIndex, "the index");
        if (!Utf8.IsValid(json)) throw file.Bad("the index is not valid UTF-8.");
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw file.Bad($"the index is a {reader.TokenType}; an object with a {MapKey} is expected.");
            Dictionary<string, string>? map = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isMap = reader.ValueTextEquals(MapKey);
                reader.Read();
                if (!isMap) reader.Skip();
                else if (map is not null) throw file.Bad($"the index has two {MapKey}s.");
                else map = ReadMap(ref reader, file);
            }

            // White space may follow; anything else is an error that the next line finds.
            reader.Read();
            return map ?? throw file.Bad($"there is no {MapKey}; an index of sharded weights is expected.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new WeightFileException($"{path}: the index is not valid JSON ({MessageText.Quote(error)})", error);
        }
    }

    private static Dictionary<string, string> ReadMap(ref Utf8JsonReader reader, ContentFile file)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw file.Bad($"the {MapKey} is a {reader.TokenType}; an object is expected.");
        var fileOfTensor = new Dictionary<string, string>(StringComparer.Ordinal);
        // One string a file, however many tensors it holds.
        var fileNames = new Dictionary<string, string>(StringComparer.Ordinal);
        int text = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            text += reader.ValueSpan.Length;
            if (text > MostText) throw file.Bad($"the {MapKey} has more than {MostText} bytes of names.");
            if (fileOfTensor.Count == SafetensorsHeader.MostTensors) throw file.Bad($"the {MapKey} has more than {SafetensorsHeader.MostTensors} tensors.");
            var tensor = reader.GetString()!;
            reader.Read();
            var name = FileName(ref reader, file, tensor);
            if (!fileNames.TryAdd(name, name)) name = fileNames[name];
            if (!fileOfTensor.TryAdd(tensor, name)) throw file.Bad($"the {MapKey} has the tensor {MessageText.Quote(tensor)} twice.");
        }

        return fileOfTensor;
    }

    // A name, not a path: an index must not reach outside its folder.
    private static string FileName(ref Utf8JsonReader reader, ContentFile file, string tensor)
    {
        if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length > LongestFileName)
            throw file.Bad($"the {MapKey} places {MessageText.Quote(tensor)} in {(reader.TokenType == JsonTokenType.String ? "a file of a very long name" : $"a {reader.TokenType}")}; the name of a file in the same folder is expected.");
        var name = reader.GetString()!;
        if (name.Length == 0 || name.AsSpan().IndexOfAny("/\\:\0") >= 0 || name is "." or ".." || name.Any(char.IsControl))
            throw file.Bad($"the {MapKey} places {MessageText.Quote(tensor)} in {MessageText.Quote(name)}; the name of a file in the same folder is expected.");
        return name;
    }
}
