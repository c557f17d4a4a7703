using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm cancel RUN</c>: ends a run of a cluster for good.</summary>
internal static class CancelCommand
{
    public static Command Create()
    {
        var command = new Command("cancel", """
            Example: genslm cancel flu --yes

            Ends a run for good at its next step boundary. What it has saved stays in its output folder. Asks first on a
            terminal; elsewhere --yes says so. 'genslm pause RUN' stops a run that is to go on.
            """);
        var run = KnownRun.Argument();
        var yes = Flag.Create("--yes", "do not ask", "-y");
        var gateway = GatewayOption.Create();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[yes, gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            await using var known = await KnownRun.OpenAsync(parsed.GetValue(gateway), parsed.GetValue(run)!, cancellation);
            var status = await known.StatusAsync(long.MaxValue, cancellation);
            if (status.State == RunState.Completed) throw new UsageException($"The run {known.Id} is completed; there is nothing to cancel.");
            if (status.State == RunState.Cancelled)
            {
                await Console.Error.WriteLineAsync($"{known.Id} is cancelled already");
                return ExitCode.Done;
            }

            var question = $"End the run {known.Id} for good, after step {status.Step} of {status.TotalSteps}?";
            if (!parsed.GetValue(yes) && !Confirmation.Ask(question, isTerminal: !Console.IsInputRedirected, Console.In, Console.Error)) return ExitCode.Interrupted;
            await known.Calls.TellAsync(known.Grain.CancelAsync, cancellation);
            await Console.Error.WriteLineAsync($"{known.Id} ends at its next step boundary; what it has saved stays in {known.Submission.Spec.Output}");
            return ExitCode.Done;
        });
        return command;
    }
}
