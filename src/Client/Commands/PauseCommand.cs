using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm pause RUN</c>: stops a run of a cluster at its next step boundary.</summary>
internal static class PauseCommand
{
    public static Command Create()
    {
        var command = new Command("pause", """
            Example: genslm pause flu && genslm wait flu --for paused

            Asks a run to stop at its next step boundary, with a checkpoint; its devices are then free for other runs.
            'genslm resume RUN' goes on, to the same final bits.
            """);
        var run = KnownRun.Argument();
        var gateway = GatewayOption.Create();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            await using var known = await KnownRun.OpenAsync(parsed.GetValue(gateway), parsed.GetValue(run)!, cancellation);
            var status = await known.StatusAsync(long.MaxValue, cancellation);
            if (status.IsOver && status.State != RunState.Paused) throw new UsageException($"The run {known.Id} is {EnumText.Word(status.State)}; there is nothing to pause.");
            if (!status.IsOver) await known.Calls.TellAsync(known.Grain.PauseAsync, cancellation);
            await Console.Error.WriteLineAsync(status.IsOver
                ? $"{known.Id} is paused already, after step {status.Step} of {status.TotalSteps}"
                : $"{known.Id} pauses at its next step boundary; 'genslm wait {known.Id} --for paused' waits for that");
            return ExitCode.Done;
        });
        return command;
    }
}
