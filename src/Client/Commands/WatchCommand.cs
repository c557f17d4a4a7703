using System.CommandLine;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm watch RUN</c>: shows a run of a cluster until its end.</summary>
internal static class WatchCommand
{
    /// <summary>How many of the events from before the watch began are shown.</summary>
    public const int EarlierEvents = 10;

    public static Command Create()
    {
        var command = new Command("watch", """
            Example: genslm watch flu

            Shows a run, from its last few events on, until it is over; its exit code is then the run's. Ctrl-C leaves the run to
            itself.
            """);
        var run = KnownRun.Argument();
        var until = new Option<string?>("--until-step") { HelpName = "N", Description = "end the watch when the run has done this step" };
        var gateway = GatewayOption.Create();
        var json = Flag.Summary();
        var plain = Flag.Plain();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[until, gateway, json, plain, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            long? untilStep = parsed.GetValue(until) is { } text ? RunOption.ParseNumber<long>("until-step", text) : null;
            var named = parsed.GetValue(gateway);
            await using var known = await KnownRun.OpenAsync(named, parsed.GetValue(run)!, cancellation);
            var session = new RemoteSession(known.Id, known.Submission.Spec.Output, named);
            return await session.WatchAsync(known.Grain, known.Calls, ProgressView.Choose(parsed.GetValue(plain)), EarlierEvents, untilStep, parsed.GetValue(json), cancellation);
        });
        return command;
    }
}
