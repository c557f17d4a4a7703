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
            if (parsed.Errors.Count > 0 || Strangers(parsed).Any()) throw new UsageException(Sentence(parsed));
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

    // An argument of any number of files takes an option that is not known for one more.
    private static IEnumerable<string> Strangers(ParseResult parsed) => parsed.CommandResult.Children.OfType<ArgumentResult>()
        .SelectMany(argument => argument.Tokens).Select(token => token.Value).Where(value => value.StartsWith("--", StringComparison.Ordinal));

    private static string Sentence(ParseResult parsed)
    {
        var command = NameOf(parsed.CommandResult);
        var known = parsed.CommandResult.Command.Options.Select(option => option.Name).ToArray();
        foreach (var token in Strangers(parsed).Concat(parsed.UnmatchedTokens))
        {
            if (token.StartsWith("--", StringComparison.Ordinal))
                return $"Unknown option {token}; did you mean {NearestName.Of(token, known)}? '{command} --help' lists them all.";
            if (parsed.CommandResult.Command.Subcommands is { Count: > 0 } subcommands)
                return $"Unknown command '{token}'; did you mean '{command} {NearestName.Of(token, subcommands.Select(subcommand => subcommand.Name))}'?";
            return $"'{token}' is one argument too many; '{command} --help' shows what is expected.";
        }

        return parsed.CommandResult.Command is RootCommand
            ? "No command was given; 'genslm train FILE' trains, 'genslm --help' lists all."
            : $"{parsed.Errors[0].Message} '{command} --help' shows what is expected.";
    }

    private static string NameOf(CommandResult result) => result.Command is RootCommand
        ? "genslm"
        : $"{(result.Parent is CommandResult above ? NameOf(above) : "genslm")} {result.Command.Name}";
}
