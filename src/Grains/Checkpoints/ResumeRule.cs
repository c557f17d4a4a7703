using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Whether a run may go on with other settings than it began with: only where the steps it has taken would have been the
/// same with the new ones. So a run can be made longer, or keep more checkpoints, but not change its batch size half-way.
/// </summary>
public static class ResumeRule
{
    // Where things are, what is kept, and when to end. The data are compared by their hash.
    private static readonly HashSet<string> Free = new(StringComparer.Ordinal)
    {
        "data", "valData", "testData", "output", "weights", "model", "keepBest", "checkpointName", "keyPrefix", "earlyStoppingPatience", "epochs", "maxSteps",
        "priority", "minDevices", "maxDevices", "acceptOtherDevice",
    };

    // A run.json of before there was the setting does not have it, and the run was as if it were off.
    private const string OnceAbsent = "bucketByLength";

    /// <summary>What stands in the way, as a sentence; null when the run may go on.</summary>
    /// <param name="before">The run.json the run began with.</param>
    /// <param name="submission">What it is to go on with.</param>
    public static string? Objection(JsonObject before, RunSubmission submission)
    {
        var now = JsonSerializer.SerializeToNode(submission.Spec, RunSpec.JsonOptions)!.AsObject();
        // A cosine's course depends on where it ends.
        bool endIsFree = submission.Spec.Schedule != LearningRateScheduleKind.Cosine;
        foreach (var (key, value) in now)
        {
            if (Free.Contains(key) && (endIsFree || key is not ("epochs" or "maxSteps"))) continue;
            if ((before[key] ?? (key == OnceAbsent ? JsonValue.Create(false) : null)) is not { } known || JsonNode.DeepEquals(known, value)) continue;
            return $"The run in {submission.Spec.Output} began with {key} {known.ToJsonString()}; it cannot go on with {value?.ToJsonString()}. Leave {key} as it was or choose another --output.";
        }

        if (OtherDevice(before, submission) is { } objection) return objection;
        return before["resolved"]?["modelConfig"] is { } config && !JsonNode.DeepEquals(config, JsonNode.Parse(submission.ModelConfig))
            ? $"The run in {submission.Spec.Output} began with a model of another configuration; leave model as it was or choose another --output."
            : null;
    }

    // A run.json of before devices had fingerprints has none, and nobody knows.
    private static string? OtherDevice(JsonObject before, RunSubmission submission)
    {
        if (submission.Spec.AcceptOtherDevice || submission.DeviceFingerprint.Length == 0) return null;
        if ((before["resolved"] as JsonObject)?["deviceFingerprint"] is not JsonValue value || !value.TryGetValue(out string? known) || known.Length == 0) return null;
        return known == submission.DeviceFingerprint
            ? null
            : $"The run in {submission.Spec.Output} began on {known}; here are {submission.DeviceFingerprint}, whose bits differ. Go on where it began, or with acceptOtherDevice (--accept-other-device), at the price of its bits.";
    }
}
