using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm data inspect FILE…</c>: what data files hold, before anything is trained on them.</summary>
internal static class DataCommand
{
    private const int GenSlmBlockSize = 2048;

    public static Command Create()
    {
        var command = new Command("data", """
            Example: genslm data inspect samples/influenza.fasta

            Looks at data files.
            """);
        command.Subcommands.Add(Inspect());
        return command;
    }

    private static Command Inspect()
    {
        var command = new Command("inspect", """
            Example: genslm data inspect samples/influenza.fasta --batch-size 8

            Records, lengths, unknown tokens, duplicates, padding at a batch size, and where the reading frames are: what
            --frame orf would change. Options do what they do in training.
            """);
        var files = new Argument<string[]>("FILE") { Arity = ArgumentArity.OneOrMore, Description = "FASTA, plain or gzipped, or GenSLM's HDF5; patterns such as 'seqs/*.fasta'" };
        var batchSize = new Option<string?>("--batch-size") { HelpName = "N", Description = "records of a micro-batch [2]" };
        var sequenceLimit = new Option<string?>("--seq-length") { HelpName = "N", Description = $"tokens a record is cut to [{GenSlmBlockSize}]" };
        var frame = new Option<string?>("--frame") { HelpName = string.Join('|', EnumText.Words<FrameChoice>()), Description = RunOptions.Find("frame", "the console").Description };
        var stripGaps = new Option<bool>("--strip-gaps") { Arity = ArgumentArity.Zero, Description = RunOptions.Find("stripGaps", "the console").Description };
        var records = new Option<bool>("--records") { Arity = ArgumentArity.Zero, Description = "show every record, with its longest open reading frame" };
        var json = new Option<bool>("--json") { Arity = ArgumentArity.Zero, Description = "print one JSON object" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(files);
        foreach (var option in (Option[])[batchSize, sequenceLimit, frame, stripGaps, records, json, verbose]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var spec = new TrainSettings();
            if (parsed.GetValue(frame) is { } word) spec = RunOptions.Find("frame", "the console").Set(spec, word);
            var preparation = DataChoice.Preparation(spec.Spec.Frame, parsed.GetValue(stripGaps));
            int batch = AtLeastOne("batchSize", parsed.GetValue(batchSize), spec.Spec.BatchSize);
            int limit = AtLeastOne("seqLength", parsed.GetValue(sequenceLimit), GenSlmBlockSize);
            var seen = new List<RecordView>();
            var view = DataInspection.Of(
                FilePatterns.Expand(parsed.GetValue(files) ?? []), preparation, batch, limit, parsed.GetValue(records) ? seen.Add : null, cancellation);
            var text = parsed.GetValue(json) ? DataText.Json(view, parsed.GetValue(records) ? seen : null) : DataText.Text(view, seen);
            await Console.Out.WriteLineAsync(text);
            return ExitCode.Done;
        });
        return command;
    }

    private static int AtLeastOne(string key, string? text, int otherwise)
    {
        int value = text is null ? otherwise : RunOption.ParseNumber<int>(key, text);
        return value >= 1 ? value : throw new UsageException($"{key} is {value}; it must be at least 1.");
    }
}
