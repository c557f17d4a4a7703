using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Client.Verification;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm verify OUTPUT</c>: recomputes a run's ledger from its settings and data and compares; starts no silo, writes nothing.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var command = new Command("verify", """
            Example: genslm verify runs/influenza

            Computes again, from run.json and the data files, which records each optimizer step had to see, and compares with the
            ledger that the run kept: every digest, the chain of hashes, the heads in the checkpoints. Says for each epoch how many
            records were seen once, never and more than once. Exit code 0: all is as it should be; 1: it is not.
            """);
        var output = new Argument<string>("OUTPUT") { Description = "the run's output folder" };
        var data = Moved("--data", "the run's sequences are now; again for another file");
        var validation = Moved("--val-data", "its validation set is now");
        var test = Moved("--test-data", "its test set is now");
        var format = new Option<string?>("-o") { HelpName = "table|json", Description = "how to report [table]" };
        var json = new Option<bool>("--json") { Arity = ArgumentArity.Zero, Description = "the same as -o json" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(output);
        foreach (var option in (Option[])[data, validation, test, format, json, verbose]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var form = parsed.GetValue(format) ?? "table";
            if (form is not ("table" or "json")) throw new UsageException($"-o is '{form}'; expected one of table, json.");
            var run = RecordedRun.Read(parsed.GetValue(output)!, spec => spec with
            {
                Data = parsed.GetValue(data) is { Length: > 0 } files ? FileList.Join(files) : spec.Data,
                ValData = parsed.GetValue(validation) is { Length: > 0 } valFiles ? FileList.Join(valFiles) : spec.ValData,
                TestData = parsed.GetValue(test) is { Length: > 0 } testFiles ? FileList.Join(testFiles) : spec.TestData,
            }, cancellation);
            var report = LedgerVerification.Verify(run.Ledger, run.Plan, run.Checkpoints);
            await Console.Out.WriteLineAsync(parsed.GetValue(json) || form == "json" ? VerificationText.Json(run, report) : VerificationText.Table(run, report));
            if (report.RecordsSeenExactlyOnce) return ExitCode.Done;
            await Console.Error.WriteLineAsync(VerificationText.Verdict(report));
            return ExitCode.RunFailed;
        });
        return command;
    }

    private static Option<string[]> Moved(string name, string what) => new(name) { HelpName = "FILE", Description = $"where {what} [as in run.json]", Arity = ArgumentArity.OneOrMore };
}
