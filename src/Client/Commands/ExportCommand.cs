using System.CommandLine;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm export RUN</c>: writes the weights of a run's best checkpoint so far.</summary>
internal static class ExportCommand
{
    // Writing billions of parameters takes its time.
    private static readonly TimeSpan WritingLimit = TimeSpan.FromHours(1);

    public static Command Create()
    {
        var command = new Command("export", """
            Example: genslm export flu

            Writes the weights of the best checkpoint so far as PyTorch reads them, and prints the file's path, which is the
            silos'. The run goes on.
            """);
        var run = KnownRun.Argument();
        var output = OutputOption.Create(OutputOption.Name, OutputOption.Json);
        var gateway = GatewayOption.Create();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[output, gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            bool json = OutputOption.Read(parsed, output) == OutputOption.Json;
            await using var known = await KnownRun.OpenAsync(parsed.GetValue(gateway), parsed.GetValue(run)!, cancellation);
            var report = await known.Calls.AskAsync(known.Grain.ExportAsync, cancellation, WritingLimit);
            await Console.Out.WriteAsync(json
                ? Listing.JsonObject(new { RunId = known.Id, Exported = report.Path, report.WeightsSha256, report.LedgerHead, report.RecordsSeenExactlyOnce })
                : $"{report.Path}\n");
            return ExitCode.Done;
        });
        return command;
    }
}
