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
        var options = new RunOptionSet();
        var print = Flag.Create("--print-config", "print the run file that these options make, and end");
        var plain = Flag.Plain();
        command.Arguments.Add(data);
        foreach (var option in (Option[])[.. options.Options, print, plain, Flag.Verbose()]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var settings = options.Read(parsed, runFile: null, parsed.GetValue(data) ?? []);
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
}
