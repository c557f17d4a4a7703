using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm submit run.yaml</c>: starts a run on a cluster that is up, and watches it.</summary>
internal static class SubmitCommand
{
    private static readonly string[] RunFileEndings = [".yaml", ".yml", ".json"];

    public static Command Create()
    {
        var command = new Command("submit", """
            Example: genslm submit run.yaml --name flu --detach

            Starts a run on a cluster that is up, and watches it until its end. Takes a run file, data files or both, and the
            options of 'genslm train'. Ctrl-C, or the end of this console, leaves the run to itself; 'genslm watch RUN' comes
            back to it. Paths are the silos': sequences, weights and output folder have to be where they see them. With
            --detach, standard output gets the run's name and nothing else.
            """);
        var files = new Argument<string[]>("FILES") { HelpName = "run.yaml|FILE", Arity = ArgumentArity.ZeroOrMore, Description = "a run file (.yaml, .yml, .json), the sequences as 'genslm train' takes them, or both" };
        var options = new RunOptionSet(without: "silos");
        var name = new Option<string?>("--name") { HelpName = "NAME", Description = "the run's name [the output folder's, with -2, -3, … if it is taken]" };
        var detach = Flag.Detach();
        var plain = Flag.Plain();
        var gateway = GatewayOption.Create();
        command.Arguments.Add(files);
        foreach (var option in (Option[])[name, detach, gateway, .. options.Options, plain, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var (runFile, data) = Split(parsed.GetValue(files) ?? []);
            var settings = options.Read(parsed, runFile, data);
            var submission = Submitting.Check(settings, parsed.GetValue(name));
            var named = parsed.GetValue(gateway);
            await using var connection = await GatewayOption.ConnectAsync(named, cancellation);
            (var id, submission) = await new Submitting(connection, settings, parsed.GetValue(name)).StartAsync(submission, cancellation);
            var session = new RemoteSession(id, submission.Spec.Output, named);
            if (parsed.GetValue(detach)) return await DetachAsync(session, settings.Json);
            var run = connection.Grains.GetGrain<ITrainingRunGrain>(id);
            return await session.WatchAsync(run, connection.Calls, ProgressView.Choose(parsed.GetValue(plain)), int.MaxValue, null, settings.Json, cancellation);
        });
        return command;
    }

    private static async Task<int> DetachAsync(RemoteSession session, bool json)
    {
        await Console.Out.WriteAsync(json ? Listing.JsonObject(new { session.RunId, session.Output }) : $"{session.RunId}\n");
        await Console.Error.WriteLineAsync($"submitted {session.RunId} → {session.Output}; watch it with: {session.ComeBack}");
        return ExitCode.Done;
    }

    private static (string? RunFile, string[] Data) Split(string[] files)
    {
        var runFiles = files.Where(file => RunFileEndings.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).ToArray();
        var sequences = files.Except(runFiles, StringComparer.Ordinal).ToArray();
        if (runFiles.Length > 1) throw new UsageException($"{runFiles[0]} and {runFiles[1]} are both run files; expected one, and the sequences or none.");
        return (runFiles.FirstOrDefault(), sequences);
    }
}
