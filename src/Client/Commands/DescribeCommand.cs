using System.CommandLine;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm describe RUN</c>: all that a cluster knows of a run.</summary>
internal static class DescribeCommand
{
    public static Command Create()
    {
        var command = new Command("describe", """
            Example: genslm describe flu

            Prints where a run stands, its devices, its best and its last checkpoint, its settings, and its last events with
            their age.
            """);
        var run = KnownRun.Argument();
        var output = OutputOption.Create(OutputOption.Table, OutputOption.Json, OutputOption.Name);
        var gateway = GatewayOption.Create();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[output, gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var form = OutputOption.Read(parsed, output);
            await using var known = await KnownRun.OpenAsync(parsed.GetValue(gateway), parsed.GetValue(run)!, cancellation);
            var description = new RunDescription(
                known.Id, known.Submission.Spec, await known.StatusAsync(0, cancellation), (await known.QueuedAsync(cancellation))?.Submitted, TimeProvider.System.GetUtcNow());
            await Console.Out.WriteAsync(form switch
            {
                OutputOption.Json => description.Json(),
                OutputOption.Name => $"{known.Id}\n",
                _ => description.Text(),
            });
            return ExitCode.Done;
        });
        return command;
    }
}
