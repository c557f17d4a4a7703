using System.CommandLine;
using System.CommandLine.Parsing;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client;

/// <summary>Parses the command line, runs a command, and turns whatever goes wrong into a sentence and an exit code.</summary>
internal static class ConsoleApplication
{
    public static async Task<int> RunAsync(string[] args, Command[] commands)
    {
        var root = new RootCommand("""
            Example: genslm train samples/influenza.fasta --epochs 3

            Fine-tunes GenSLM on nucleotide FASTA with gradient accumulation, on a local cluster that it starts by itself.
            """);
        foreach (var command in commands) root.Subcommands.Add(command);
        bool verbose = args.Contains("--verbose");
        try
        {
            var parsed = root.Parse(args);
            if (MissingValue(parsed) is { } missing) throw new UsageException(missing);
            if (parsed.Errors.Count > 0) throw new UsageException(Sentence(parsed));
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (SentenceOf(exception) is { } sentence)
        {
            await Console.Error.WriteLineAsync(verbose ? exception.ToString() : sentence.Text);
            return sentence.ExitCode;
        }
    }

    private static (string Text, int ExitCode)? SentenceOf(Exception exception) => exception switch
    {
        UsageException or RunInputException or FastaException or WeightFileException => (exception.Message, ExitCode.BadInput),
        ClusterException => (exception.Message, ExitCode.ClusterUnreachable),
        _ => null,
    };

    // The parser takes the next option for the value.
    private static string? MissingValue(ParseResult parsed)
    {
        var known = parsed.CommandResult.Command.Options.Select(option => option.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var option in parsed.CommandResult.Children.OfType<OptionResult>())
            if (option.Tokens.FirstOrDefault(token => known.Contains(token.Value)) is { } token) return $"{option.Option.Name} needs a value; found the option {token.Value}.";
        return null;
    }

    private static string Sentence(ParseResult parsed)
    {
        var here = parsed.CommandResult.Command;
        var command = string.Join(' ', Path(here));
        var known = here.Options.Select(option => option.Name).ToArray();
        foreach (var token in parsed.UnmatchedTokens)
        {
            if (token.StartsWith("--", StringComparison.Ordinal))
                return $"Unknown option {token}; did you mean {NearestName.Of(token, known)}? '{command} --help' lists them all.";
            if (here.Subcommands.Count > 0)
                return $"Unknown command '{token}'; did you mean '{command} {NearestName.Of(token, here.Subcommands.Select(subcommand => subcommand.Name))}'?";
            return $"'{token}' is one argument too many; '{command} --help' shows what is expected.";
        }

        if (here is RootCommand) return "No command was given; 'genslm train FASTA' trains, 'genslm --help' lists all.";
        return here.Subcommands.Count > 0
            ? $"'{command}' needs one of {string.Join(", ", here.Subcommands.Select(subcommand => subcommand.Name))}; '{command} --help' says what they do."
            : $"{parsed.Errors[0].Message} '{command} --help' shows what is expected.";
    }

    // The root is called after the program's file; people call it genslm.
    private static IEnumerable<string> Path(Command command) => command is RootCommand
        ? ["genslm"]
        : [.. command.Parents.OfType<Command>().Take(1).SelectMany(Path), command.Name];
}
