using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm train FILE…</c>: starts a local cluster, trains, exports, and takes the cluster down with it.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var command = new Command("train", """
            Example: genslm train samples/influenza.fasta --learning-rate 3e-3 --epochs 10

            Fine-tunes a model on FASTA or HDF5 files and exports the weights with the lowest validation loss. Every option is
            also a key of the run file, in camel case (batchSize: 2).
            """);
        var data = new Argument<string[]>("FILE") { Arity = ArgumentArity.ZeroOrMore, Description = "the sequences: FASTA, plain or gzipped, or GenSLM's HDF5; several, in this order; patterns such as 'seqs/*.fasta'" };
        var config = new Option<string?>("--config") { HelpName = "FILE", Description = "run file (YAML or JSON); options override it" };
        var print = new Option<bool>("--print-config") { Arity = ArgumentArity.Zero, Description = "print the run file that these options make, and end" };
        var plain = new Option<bool>("--plain") { Arity = ArgumentArity.Zero, Description = "plain lines instead of a live view" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(data);
        var options = RunOptions.All.Where(option => option.Key != "data").ToDictionary(option => option, Create);
        foreach (var option in (Option[])[config, .. options.Values, print, plain, verbose]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var settings = new TrainSettings();
            if (parsed.GetValue(config) is { } file) settings = RunFile.Apply(settings, file);
            foreach (var (known, option) in options)
            {
                if (parsed.GetResult(option) is not { Implicit: false }) continue;
                settings = known.Set(settings, option switch
                {
                    Option<string[]> list => FileList.Join(parsed.GetValue(list) ?? []),
                    Option<string?> value => parsed.GetValue(value) ?? "",
                    _ => "true",
                });
            }

            if (parsed.GetValue(data) is { Length: > 0 } files) settings = settings with { Spec = settings.Spec with { Data = FileList.Join(files) } };
            if (parsed.GetValue(print))
            {
                await Console.Out.WriteAsync(RunFile.Print(settings));
                return ExitCode.Done;
            }

            var submission = SubmissionCheck.Resolve(settings);
            return await TrainingSession.RunAsync(submission, settings, ProgressView.Choose(parsed.GetValue(plain)), cancellation);
        });
        return command;
    }

    private static Option Create(RunOption option)
    {
        if (option.IsFlag) return new Option<bool>(option.OptionName) { Arity = ArgumentArity.Zero, Description = option.Description };
        if (option.IsList) return new Option<string[]>(option.OptionName) { HelpName = option.Placeholder, Description = $"{option.Description} (again for another)", Arity = ArgumentArity.OneOrMore };
        return new Option<string?>(option.OptionName) { HelpName = option.Placeholder, Description = Described(option), Arity = ArgumentArity.ExactlyOne };
    }

    private static string Described(RunOption option)
    {
        var value = option.Get(new TrainSettings());
        return value.Length == 0 || option.Key == "threads" ? option.Description : $"{option.Description} [{value}]";
    }
}
