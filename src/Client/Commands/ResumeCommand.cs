using System.CommandLine;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm resume OUTPUT</c>: goes on from the last checkpoint, to the same final bits.</summary>
internal static class ResumeCommand
{
    public static Command Create()
    {
        var command = new Command("resume", """
            Example: genslm resume runs/influenza

            Goes on with the run of an output folder from its last checkpoint, with the settings it began with.
            """);
        var output = new Argument<string>("OUTPUT") { Description = "the run's output folder" };
        var silos = new Option<string?>("--silos") { HelpName = "N", Description = "local silo processes to start [1]" };
        var json = new Option<bool>("--json") { Arity = ArgumentArity.Zero, Description = "print one JSON object on standard output at the end" };
        var plain = new Option<bool>("--plain") { Arity = ArgumentArity.Zero, Description = "plain lines instead of a live view" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(output);
        foreach (var option in (Option[])[silos, json, plain, verbose]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var folder = parsed.GetValue(output)!;
            var file = Path.Combine(folder, "run.json");
            if (!File.Exists(file)) throw new UsageException($"{folder} holds no run: there is no run.json in it. 'genslm train FILE --output {folder}' begins one.");
            var settings = RunFile.Apply(new TrainSettings(), file) with { Resume = true, Json = parsed.GetValue(json) };
            if (parsed.GetValue(silos) is { } count) settings = RunOptions.Find("silos", "the console").Set(settings, count);
            settings = settings with { Spec = settings.Spec with { Output = folder } };
            var submission = SubmissionCheck.Resolve(settings);
            return await TrainingSession.RunAsync(submission, settings, ProgressView.Choose(parsed.GetValue(plain)), cancellation);
        });
        return command;
    }
}
