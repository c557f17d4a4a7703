using System.Text.Json;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Abstractions;

/// <summary>One line of <c>metrics.jsonl</c>: an optimizer step or a validation; the fields of the other kind are absent.</summary>
[GenerateSerializer, Immutable, Alias("genslm.MetricLine")]
public sealed record MetricLine
{
    /// <summary><c>step</c> or <c>validation</c>.</summary>
    [Id(0)] public string Kind { get; init; } = "step";
    [Id(1)] public long Step { get; init; }

    /// <summary>From 0, as Lightning counts.</summary>
    [Id(2)] public int Epoch { get; init; }
    [Id(3)] public double? TrainLoss { get; init; }

    /// <summary>Real tokens of the step's window.</summary>
    [Id(4)] public long? Tokens { get; init; }
    [Id(5)] public double? LearningRate { get; init; }
    [Id(6)] public double? GradientNorm { get; init; }

    /// <summary>From one applied step to the next, what is told by <see cref="OtherSeconds"/> and validations apart; or how long the validation took.</summary>
    [Id(7)] public double? Seconds { get; init; }

    /// <summary>Seconds before this line that neither steps nor validations took: preparing, waiting for checkpoints and for devices.</summary>
    [Id(10)] public double? OtherSeconds { get; init; }
    [Id(8)] public double? ValLoss { get; init; }

    /// <summary>Whether this validation loss is the lowest so far.</summary>
    [Id(9)] public bool? Best { get; init; }

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public string ToJson() => JsonSerializer.Serialize(this, Options);

    /// <summary>Reads a line that <see cref="ToJson"/> wrote; null when it is not one (a line cut off by a crash).</summary>
    public static MetricLine? FromJson(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<MetricLine>(line, Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
