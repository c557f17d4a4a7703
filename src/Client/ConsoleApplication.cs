using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client;

/// <summary>Parses the command line, runs a command, and turns whatever goes wrong into a sentence and an exit code.</summary>
internal static class ConsoleApplication
{
    // What users type.
    private const string Name = "genslm";

    public static async Task<int> RunAsync(string[] args, Command[] commands)
    {
        var root = Root();
        foreach (var command in commands) root.Subcommands.Add(command);
        bool verbose = args.Contains("--verbose");
        try
        {
            var parsed = root.Parse(args);
            if ((MissingValue(parsed) ?? OptionForArgument(parsed)) is { } mistaken) throw new UsageException(mistaken);
            if (parsed.Errors.Count > 0) throw new UsageException(Sentence(parsed));
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Exception exception) when (SentenceOf(exception) is { } sentence)
        {
            await Console.Error.WriteLineAsync(verbose ? exception.ToString() : sentence.Text);
            return sentence.ExitCode;
        }
    }

    // No RootCommand, which takes its name from the .dll and shows that in every help.
    private static Command Root()
    {
        var root = new Command(Name, """
            Example: genslm train samples/influenza.fasta --epochs 3

            Fine-tunes GenSLM on nucleotide FASTA with gradient accumulation: 'train' on a local cluster that it starts by itself,
            'submit' on one that is up, which outlives the console.
            """);
        root.Options.Add(new HelpOption());
        root.Options.Add(new VersionOption());
        return root;
    }

    /// <summary>What is said of an exception that is no bug, and the exit code that goes with it; null: it is one.</summary>
    internal static (string Text, int ExitCode)? SentenceOf(Exception exception) => exception switch
    {
        UsageException or RunInputException or FastaException or WeightFileException or LedgerException => (exception.Message, ExitCode.BadInput),
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

    // It takes an option that it does not know for an argument.
    private static string? OptionForArgument(ParseResult parsed)
    {
        foreach (var argument in parsed.CommandResult.Children.OfType<ArgumentResult>())
            if (argument.Tokens.FirstOrDefault(token => token.Value.StartsWith("--", StringComparison.Ordinal)) is { } token) return UnknownOption(parsed, token.Value);
        return null;
    }

    private static string UnknownOption(ParseResult parsed, string option) =>
        $"Unknown option {option}; did you mean {NearestName.Of(option, parsed.CommandResult.Command.Options.Select(known => known.Name))}? '{CommandOf(parsed)} --help' lists them all.";

    private static string CommandOf(ParseResult parsed) => FullName(parsed.CommandResult);

    private static string Sentence(ParseResult parsed)
    {
        var command = CommandOf(parsed);
        var subcommands = parsed.CommandResult.Command.Subcommands.Select(subcommand => subcommand.Name).ToArray();
        foreach (var token in parsed.UnmatchedTokens)
        {
            if (token.StartsWith("--", StringComparison.Ordinal)) return UnknownOption(parsed, token);
            if (subcommands.Length > 0) return $"Unknown command '{token}'; did you mean '{command} {NearestName.Of(token, subcommands)}'?";
            return $"'{token}' is one argument too many; '{command} --help' shows what is expected.";
        }

        if (parsed.CommandResult.Parent is null) return "No command was given; 'genslm train FILE' trains, 'genslm --help' lists all.";
        return parsed.CommandResult.Command.Action is null
            ? $"{command} needs to know what; expected '{string.Join("' or '", subcommands.Select(subcommand => $"{command} {subcommand}"))}'."
            : $"{parsed.Errors[0].Message} '{command} --help' shows what is expected.";
    }

    // 'genslm config import'
    private static string FullName(CommandResult command) =>
        command.Parent is CommandResult above ? $"{FullName(above)} {command.Command.Name}" : command.Command.Name;
}
