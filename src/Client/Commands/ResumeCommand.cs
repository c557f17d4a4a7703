using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>
/// <c>genslm resume OUTPUT</c> or <c>resume RUN</c>: goes on from the last checkpoint, to the same final bits. A folder that exists
/// is an output folder, whose run goes on here; any other name is a run's of the cluster, if one is up or named.
/// </summary>
internal static class ResumeCommand
{
    public static Command Create()
    {
        var command = new Command("resume", """
            Example: genslm resume runs/influenza

            Goes on from the last checkpoint, with the settings that the run began with. Given an output folder, goes on with it
            on a local cluster of its own. Given the name of a run, and a cluster that is up or named by --gateway, makes the
            cluster go on with the run, and watches it.

            A run goes on only on the kind of device that it began on, since others' bits differ, and waits where there is none:
            with --accept-other-device it goes on all the same, on the kind there is most of.
            """);
        var run = new Argument<string>("OUTPUT|RUN") { Description = "the run's output folder, or its name in a cluster" };
        var silos = new Option<string?>("--silos") { HelpName = "N", Description = "local silo processes to start, for an output folder [1]" };
        var accept = Flag.Create("--accept-other-device", "go on on another kind of device than the run began on; its bits will be others");
        var detach = Flag.Detach();
        var gateway = GatewayOption.Create();
        var json = Flag.Summary();
        var plain = Flag.Plain();
        command.Arguments.Add(run);
        foreach (var option in (Option[])[silos, accept, detach, gateway, json, plain, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var (name, named, count, detached, accepts) = (parsed.GetValue(run)!, parsed.GetValue(gateway), parsed.GetValue(silos), parsed.GetValue(detach), parsed.GetValue(accept));
            IProgressView View() => ProgressView.Choose(parsed.GetValue(plain));
            if (IsOfCluster(name, named))
            {
                if (count is not null) throw new UsageException($"--silos is for an output folder, whose run goes on here; the run {name} goes on on its cluster.");
                return await RemoteAsync(name, named, accepts, detached ? null : View, parsed.GetValue(json), cancellation);
            }

            if (detached) throw new UsageException($"--detach is for runs of a cluster; the run of the folder {name} ends with this console.");
            var settings = Settings(name, count, accepts, parsed.GetValue(json));
            return await TrainingSession.RunAsync(SubmissionCheck.Resolve(settings), settings, View(), cancellation);
        });
        return command;
    }

    private static bool IsOfCluster(string name, string? gateway) =>
        gateway is not null || (!Directory.Exists(name) && name == Path.GetFileName(name) && (GatewayOption.IsInEnvironment || StandingCluster.Find() is not null));

    private static TrainSettings Settings(string folder, string? silos, bool accepts, bool json)
    {
        var file = Path.Combine(folder, "run.json");
        if (!File.Exists(file)) throw new UsageException($"{folder} holds no run: there is no run.json in it. 'genslm train FASTA --output {folder}' begins one.");
        var settings = RunFile.Apply(new TrainSettings(), file) with { Resume = true, Json = json };
        if (silos is not null) settings = RunOptions.Find("silos", "the console").Set(settings, silos);
        return settings with { Spec = settings.Spec with { Output = folder, AcceptOtherDevice = accepts || settings.Spec.AcceptOtherDevice } };
    }

    private static async Task<int> RemoteAsync(string name, string? gateway, bool accepts, Func<IProgressView>? view, bool json, CancellationToken cancellation)
    {
        await using var known = await KnownRun.OpenAsync(gateway, name, cancellation);
        if ((await known.StatusAsync(long.MaxValue, cancellation)).State == RunState.Cancelled)
            throw new UsageException($"The run {known.Id} was cancelled, for good; 'genslm submit' with --resume and its --output begins a new one from its last checkpoint.");
        await known.Calls.TellAsync(accepts ? known.Grain.ResumeOnOtherDevicesAsync : known.Grain.ResumeAsync, cancellation);
        var session = new RemoteSession(known.Id, known.Submission.Spec.Output, gateway);
        if (view is not null) return await session.WatchAsync(known.Grain, known.Calls, view(), WatchCommand.EarlierEvents, null, json, cancellation);
        await Console.Error.WriteLineAsync($"{known.Id} goes on; watch it with: {session.ComeBack}");
        return ExitCode.Done;
    }
}
