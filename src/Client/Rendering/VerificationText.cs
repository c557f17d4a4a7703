using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using GenSlmOrleans.Client.Verification;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>How the verification of a ledger is reported.</summary>
internal static class VerificationText
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The object that --json prints.</summary>
    public static string Json(RecordedRun run, LedgerReport report) => JsonSerializer.Serialize(
        new
        {
            run.RunId,
            report.RecordsSeenExactlyOnce,
            Steps = report.LastStep,
            run.PlannedSteps,
            StepsNotCovered = report.After,
            run.Plan.Identity.Shards,
            TrainingRecords = run.Plan.TrainingRecords.Length,
            LedgerHead = report.Head,
            report.EndsInCutLine,
            Checkpoints = run.Checkpoints.Count,
            report.CheckpointsMatched,
            report.Epochs,
            report.FindingCount,
            report.Findings,
        },
        Options);

    /// <summary>What people read: a row an epoch, which counts from 1 here as it does in the progress lines.</summary>
    public static string Table(RecordedRun run, LedgerReport report)
    {
        var text = new StringBuilder();
        text.Append(EventText.Invariant($"run          {run.RunId}\ndata         {run.Data} (hash as the run began with)\n"));
        text.Append(EventText.Invariant($"ledger       {report.LastStep:N0} of {run.PlannedSteps:N0} steps, {run.Plan.Identity.Shards:N0} shards, head {report.Head}\n"));
        text.Append(EventText.Invariant($"checkpoints  {report.CheckpointsMatched} of {run.Checkpoints.Count} have the ledger's head{Older(run)}\n"));
        if (report.After > 0) text.Append(EventText.Invariant($"note         the ledger begins after step {report.After}; what came before is not covered\n"));
        if (report.EndsInCutLine) text.Append("note         the last line was cut off by a crash; the run drops it when it goes on\n");
        text.Append(EventText.Invariant($"\n{"epoch",-6}{"records",10}{"once",10}{"never",10}{"repeated",10}\n"));
        foreach (var epoch in report.Epochs)
            text.Append(EventText.Invariant($"{epoch.Epoch + 1,-6}{run.Plan.TrainingRecords.Length,10}{epoch.Once,10}{epoch.Never,10}{epoch.Repeated,10}{(epoch.IsComplete ? "" : "  (in part)")}\n"));
        text.Append('\n');
        foreach (var finding in report.Findings) text.Append("wrong        ").Append(finding.Sentence).Append('\n');
        if (report.FindingCount > report.Findings.Length) text.Append(EventText.Invariant($"wrong        {report.FindingCount - report.Findings.Length:N0} more\n"));
        return text.Append(Outcome(report)).ToString();
    }

    /// <summary>Why the verification failed: the first thing that is wrong.</summary>
    public static string Verdict(LedgerReport report)
    {
        if (report.Findings.FirstOrDefault() is { } first)
            return report.FindingCount == 1 ? first.Sentence : EventText.Invariant($"{first.Sentence} In all, {report.FindingCount:N0} things are wrong.");
        var epoch = report.Epochs.First(epoch => !epoch.IsSound);
        return EventText.Invariant($"In epoch {epoch.Epoch + 1}, {epoch.Never:N0} records were never seen and {epoch.Repeated:N0} more than once; expected each exactly once.");
    }

    private static string Outcome(LedgerReport report) => report switch
    {
        { RecordsSeenExactlyOnce: false } => "NOT verified",
        _ when report.Epochs.Any(epoch => epoch.IsComplete) => "verified     every training record exactly once an epoch, none lost, none repeated",
        _ => "verified     no training record more than once so far; no epoch is complete",
    };

    private static string Older(RecordedRun run) =>
        run.Checkpoints.Count(checkpoint => checkpoint.Head is null) is var older and > 0 ? $"; {older} from before there were ledgers" : "";
}
