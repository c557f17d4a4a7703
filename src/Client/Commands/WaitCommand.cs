using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm wait RUN --for completed</c>: returns when a run is as far as that.</summary>
internal static class WaitCommand
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    // For connecting and one answer.
    private static readonly TimeSpan ShortestLook = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var command = new Command("wait", """
            Example: genslm wait flu --for completed --timeout 1h30m

            Returns when a run is in the state that is waited for, or has done the step. Exit codes: 0 it is; 1 it never will
            be, for the run is over; 4 the time is up.
            """);
        var run = KnownRun.Argument();
        var condition = new Option<string>("--for") { HelpName = WaitCondition.Placeholder, Description = "what to wait for", Required = true };
        var timeout = new Option<string?>("--timeout") { HelpName = "DURATION", Description = "for how long at most (90s, 10m, 1h30m) [no limit]" };
        var gateway = GatewayOption.Create();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[condition, timeout, gateway, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var awaited = WaitCondition.Parse(parsed.GetValue(condition)!);
            TimeSpan? limit = parsed.GetValue(timeout) is { } text ? DurationText.Parse("timeout", text) : null;
            return await WaitAsync(parsed.GetValue(gateway), parsed.GetValue(run)!, awaited, limit, cancellation);
        });
        return command;
    }

    private static async Task<int> WaitAsync(string? gateway, string name, WaitCondition awaited, TimeSpan? limit, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var lookDeadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (limit is { } time)
        {
            deadline.CancelAfter(time);
            // Also with no time to wait it is looked at once.
            lookDeadline.CancelAfter(time > ShortestLook ? time : ShortestLook);
        }

        RunStatus? status = null;
        try
        {
            await using var run = await KnownRun.OpenAsync(gateway, name, lookDeadline.Token);
            status = await run.StatusAsync(long.MaxValue, lookDeadline.Token);
            while (!awaited.IsMetBy(status) && !WaitCondition.IsOutOfReachOf(status))
            {
                await Task.Delay(PollInterval, deadline.Token);
                status = await run.StatusAsync(long.MaxValue, deadline.Token);
            }
        }
        catch (OperationCanceledException) when (lookDeadline.IsCancellationRequested || deadline.IsCancellationRequested)
        {
            cancellation.ThrowIfCancellationRequested();
            await Console.Error.WriteLineAsync($"{(status is null ? $"the cluster has not answered for {name}" : Where(name, status))}; the time to wait for '{awaited}' is up");
            return ExitCode.WaitTimedOut;
        }

        bool met = awaited.IsMetBy(status);
        await Console.Error.WriteLineAsync(met ? Where(name, status) : $"{Where(name, status)} and will not get to '{awaited}'{(status.Failure is { } failure ? $": {failure.Message}" : "")}");
        return met ? ExitCode.Done : ExitCode.RunFailed;
    }

    private static string Where(string name, RunStatus status) => $"{name} is {EnumText.Word(status.State)}, after step {status.Step} of {status.TotalSteps}";
}
