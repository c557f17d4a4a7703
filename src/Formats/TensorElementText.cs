using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>Element types in the words that people use: fp32, bf16, int64, ….</summary>
public static class TensorElementText
{
    private static readonly ImmutableArray<(string Word, TensorElementType Type)> s_words =
    [
        ("fp32", TensorElementType.Float32), ("fp16", TensorElementType.Float16), ("bf16", TensorElementType.BFloat16), ("fp64", TensorElementType.Float64),
        ("int64", TensorElementType.Int64), ("int32", TensorElementType.Int32), ("int16", TensorElementType.Int16), ("int8", TensorElementType.Int8),
        ("uint8", TensorElementType.UInt8), ("bool", TensorElementType.Bool),
    ];

    /// <summary>The words for the types that are written.</summary>
    public static ImmutableArray<string> Writable { get; } = ["fp32", "fp16", "bf16"];

    public static string Word(this TensorElementType type) => s_words.First(pair => pair.Type == type).Word;

    /// <summary>The type that is written under this word, or null.</summary>
    public static TensorElementType? ParseWritable(string word) =>
        Writable.Contains(word, StringComparer.OrdinalIgnoreCase)
            ? s_words.First(pair => string.Equals(pair.Word, word, StringComparison.OrdinalIgnoreCase)).Type
            : null;
}
