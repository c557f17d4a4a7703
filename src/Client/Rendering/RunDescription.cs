using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>All that a cluster knows of a run, ending in its last events.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Spec">What was submitted.</param>
/// <param name="Status">Where it stands, with its events.</param>
/// <param name="Submitted">When; null when the cluster's queue has forgotten it.</param>
/// <param name="Now">For ages.</param>
internal sealed record RunDescription(string RunId, RunSpec Spec, RunStatus Status, DateTimeOffset? Submitted, DateTimeOffset Now)
{
    private const int EventsShown = 20;
    private const int LabelWidth = 14;

    // Steps would crowd the others out; metrics.jsonl has them.
    private ImmutableArray<RunEvent> Events => [.. Status.Events.Where(happened => happened.Kind != RunEventKind.Step).TakeLast(EventsShown)];

    /// <summary>For people.</summary>
    public string Text()
    {
        var text = new StringBuilder();
        foreach (var (label, value) in Lines()) text.Append((label.Length == 0 ? "" : $"{label}:").PadRight(LabelWidth)).Append(value).Append('\n');
        text.Append("Settings:\n");
        foreach (var option in RunOptions.OfSpec) text.Append($"  {option.Key}: {option.Get(new TrainSettings { Spec = Spec })}".TrimEnd()).Append('\n');
        text.Append("Events:\n");
        var events = Listing.Table(
            ["  AGE", "STEP", "EVENT"],
            Events.Select(happened => (string[])[$"  {EventText.Age(Now - happened.Time)}", $"{happened.Step}", EventText.Line(happened, Status)]));
        return text.Append(Events.IsEmpty ? "  none yet\n" : events).ToString();
    }

    /// <summary>For scripts: one object.</summary>
    public string Json() => Listing.JsonObject(new
    {
        RunId,
        Status.State,
        Remark = RunList.RemarkOn(Status),
        Submitted,
        Status.Step,
        Status.TotalSteps,
        Status.Epoch,
        Status.Epochs,
        Status.TrainLoss,
        Status.ValidationLoss,
        Status.BestValidationLoss,
        Status.BestStep,
        Status.Tokens,
        Status.TokensPerSecond,
        Status.Seconds,
        Spent = new { Status.Spent.Preparing, Status.Spent.Stepping, Status.Spent.Validating, Status.Spent.Checkpointing, Status.Spent.Waiting },
        Status.RemainingSeconds,
        Devices = Status.Devices.Select(share => new { share.Silo, share.Device, share.FirstShard, share.EndShard }),
        Status.Driver,
        Status.Generation,
        Partitions = Status.Partitions.Select(place => new { place.Index, place.FirstBlock, place.BlockCount, place.Holders }),
        Checkpoints = new { Best = Status.BestCheckpoint, Last = Status.LastCheckpoint },
        Spec.Output,
        Status.Exported,
        Status.WeightsSha256,
        Status.ShardsReassigned,
        Status.RepeatedMicroBatches,
        Status.ReplayedSteps,
        Spec = JsonSerializer.SerializeToElement(Spec, RunSpec.JsonOptions),
        Events = Events.Select(happened => new { happened.Time, happened.Step, happened.Kind, Text = EventText.Line(happened, Status) }),
    });

    private IEnumerable<(string Label, string Value)> Lines()
    {
        yield return ("Name", RunId);
        yield return ("State", Listing.Word(Status.State));
        if (RunList.RemarkOn(Status) is { Length: > 0 } remark) yield return ("Reason", remark);
        if (Submitted is { } time) yield return ("Submitted", EventText.Invariant($"{EventText.Age(Now - time)} ago, priority {Spec.Priority}"));
        yield return ("Step", Status.TotalSteps == 0 ? "none yet" : EventText.Invariant($"{Status.Step} of {Status.TotalSteps}, epoch {Status.Epoch} of {Status.Epochs}"));
        if (Status.TrainLoss is { } loss) yield return ("Train loss", EventText.Invariant($"{loss:F4}"));
        if (Status.ValidationLoss is { } validation) yield return ("Validation", EventText.Invariant($"{validation:F4}, best {Status.BestValidationLoss:F4} after step {Status.BestStep}"));
        if (!Status.IsOver) yield return ("Pace", EventText.Invariant($"{EventText.Thousands(Status.TokensPerSecond)} tok/s, ETA {EventText.Duration(Status.RemainingSeconds)}"));
        if (Status.Spent.Total > 0) yield return ("Time", $"{EventText.Duration(Status.Spent.Total)}: {string.Join(", ", Status.Spent.ByUse().Where(spent => spent.Seconds > 0).Select(spent => $"{spent.Use} {EventText.Duration(spent.Seconds)}"))}");
        yield return ("Recovery", EventText.Invariant($"{Status.ShardsReassigned} shards reassigned, {Status.RepeatedMicroBatches} micro-batches repeated, {Status.ReplayedSteps} steps replayed"));
        if (!Status.IsOver && Status.Driver.Length > 0) yield return ("Driver", EventText.Invariant($"{Status.Driver}, generation {Status.Generation}"));
        foreach (var line in DeviceLines()) yield return line;
        foreach (var line in PartitionLines()) yield return line;
        yield return ("Checkpoints", $"best  {Otherwise(Status.BestCheckpoint)}");
        yield return ("", $"last  {Otherwise(Status.LastCheckpoint)}");
        yield return ("Output", Spec.Output);
        if (Status.Exported.Length > 0) yield return ("Exported", Status.Exported);
        if (Status.WeightsSha256.Length > 0) yield return ("Weights", $"sha256 {Status.WeightsSha256}");
    }

    private IEnumerable<(string Label, string Value)> DeviceLines()
    {
        if (Status.IsOver || Status.Devices.IsEmpty) yield return ("Devices", "none");
        else
            foreach (var (i, share) in Status.Devices.Index())
                yield return (i == 0 ? "Devices" : "", EventText.Share(share));
    }

    private IEnumerable<(string Label, string Value)> PartitionLines()
    {
        if (Status.IsOver) yield break;
        foreach (var (i, place) in Status.Partitions.Index())
            yield return (i == 0 ? "Partitions" : "", EventText.Invariant($"{place.Index}  blocks {place.FirstBlock}-{place.FirstBlock + place.BlockCount - 1}  {string.Join(", standby ", place.Holders)}"));
    }

    private static string Otherwise(string folder) => folder.Length == 0 ? "none yet" : folder;
}
