using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>Events and numbers as people read them.</summary>
internal static class EventText
{
    /// <summary>An event as one line.</summary>
    public static string Line(RunEvent happened, RunStatus status) => (happened.Kind, happened.Metric) switch
    {
        (RunEventKind.Step, { } step) => Invariant(
            $"step {step.Step}/{status.TotalSteps}  epoch {step.Epoch + 1}/{status.Epochs}  loss {step.TrainLoss:F4}  |g| {step.GradientNorm:G3}  lr {step.LearningRate:0.0e+0}  {Pace(step)} tok/s"),
        (RunEventKind.Validation, { } validation) => Invariant($"validation  step {validation.Step}  loss {validation.ValLoss:F4}{(validation.Best == true ? "  best" : "")}"),
        (RunEventKind.Warning, _) => $"warning: {happened.Text}",
        _ => happened.Text,
    };

    /// <summary>A run's first line.</summary>
    public static string Started(string runId, string output, IReadOnlyList<string> metrics) =>
        $"run {runId} → {output}{(metrics.Count == 0 ? "" : $"; metrics at {string.Join(", ", metrics)}")}";

    /// <summary>A device and the shards it has.</summary>
    public static string Share(DeviceShare share) =>
        $"{share.Silo} {share.Device}  {(share.EndShard == share.FirstShard + 1 ? $"shard {share.FirstShard}" : $"shards {share.FirstShard}-{share.EndShard - 1}")}";

    /// <summary>How long ago, in the largest unit: 12s, 5m, 3h, 2d.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalSeconds: < 1 } => "0s",
        { TotalMinutes: < 2 } => Invariant($"{Math.Floor(age.TotalSeconds):F0}s"),
        { TotalHours: < 2 } => Invariant($"{Math.Floor(age.TotalMinutes):F0}m"),
        { TotalDays: < 2 } => Invariant($"{Math.Floor(age.TotalHours):F0}h"),
        _ => Invariant($"{Math.Floor(age.TotalDays):F0}d"),
    };

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    public static string Duration(double? seconds) =>
        seconds is { } value && double.IsFinite(value) ? TimeSpan.FromSeconds(Math.Round(value)).ToString("c", CultureInfo.InvariantCulture) : "–";

    /// <summary>A number of thousands as people write it: 41.2k.</summary>
    public static string Thousands(double value) =>
        value >= 1e6 ? Invariant($"{value / 1e6:F1}M") : value >= 1e3 ? Invariant($"{value / 1e3:F1}k") : Invariant($"{value:F0}");

    private static string Pace(MetricLine step) => Thousands(step.Seconds > 0 ? (step.Tokens ?? 0) / step.Seconds.Value : 0);
}
