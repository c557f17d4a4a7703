using System.Text.Json;
using System.Text.Json.Serialization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>How a run is reported at its end.</summary>
internal static class Summary
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The object that --json prints.</summary>
    public static string Json(RunStatus status) => JsonSerializer.Serialize(
        new
        {
            status.RunId,
            Status = JsonNamingPolicy.CamelCase.ConvertName(status.State.ToString()),
            Steps = status.Step,
            Epochs = status.EpochsCompleted,
            status.Tokens,
            status.Seconds,
            FinalTrainLoss = status.TrainLoss,
            BestValLoss = status.BestValidationLoss,
            status.TestLoss,
            TestPerplexity = Perplexity(status.TestLoss),
            BestCheckpoint = NullIfEmpty(status.BestCheckpoint),
            Exported = NullIfEmpty(status.Exported),
            WeightsSha256 = NullIfEmpty(status.WeightsSha256),
            status.RecordsSeenExactlyOnce,
            LedgerHead = NullIfEmpty(status.LedgerHead),
            status.ShardsReassigned,
            status.RepeatedMicroBatches,
            status.ReplayedSteps,
        },
        Options);

    public static string Text(RunStatus status)
    {
        var best = status.BestCheckpoint.Length > 0
            ? EventText.Invariant($"best checkpoint  {status.BestCheckpoint} (validation loss {status.BestValidationLoss:F4} after step {status.BestStep})\n")
            : "";
        var test = status.TestLoss is { } loss ? EventText.Invariant($"test loss        {loss:F4} (perplexity {Perplexity(loss):F3})\n") : "";
        return EventText.Invariant(
            $"done in {EventText.Duration(status.Seconds)}: {status.Step:N0} steps, {status.Tokens:N0} tokens, train loss {status.TrainLoss:F4}\n{best}{test}exported         {status.Exported}\nweights sha256   {status.WeightsSha256}");
    }

    // torchmetrics' Perplexity, and GenSLM's: e to the power of the mean loss of a token.
    private static double? Perplexity(double? loss) => loss is { } value ? Math.Exp(value) : null;

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
