using System.CommandLine;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm runs</c>: lists the runs of a cluster.</summary>
internal static class RunsCommand
{
    public static Command Create()
    {
        var command = new Command("runs", """
            Example: genslm runs -o wide

            Lists the runs of a cluster, those first that get devices first, those that are over last. For scripts: -o json, an
            array of objects, and -o name, a name a line.
            """);
        var output = OutputOption.Create(OutputOption.Table, OutputOption.Wide, OutputOption.Json, OutputOption.Name);
        var gateway = GatewayOption.Create();
        foreach (var option in (Option[])[output, gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var form = OutputOption.Read(parsed, output);
            await using var connection = await GatewayOption.ConnectAsync(parsed.GetValue(gateway), cancellation);
            if (form == OutputOption.Name)
            {
                foreach (var run in await KnownRun.ListAsync(connection, cancellation)) await Console.Out.WriteLineAsync(run.RunId);
                return ExitCode.Done;
            }

            var runs = await connection.CallAsync(RunList.ReadAsync, cancellation);
            if (runs.IsEmpty) await Console.Error.WriteLineAsync("No runs yet; 'genslm submit run.yaml' submits one.");
            if (form == OutputOption.Json) await Console.Out.WriteAsync(Listing.Json(runs));
            else if (!runs.IsEmpty) await Console.Out.WriteAsync(RunTable.Text(runs, TimeProvider.System.GetUtcNow(), form == OutputOption.Wide));
            return ExitCode.Done;
        });
        return command;
    }
}
