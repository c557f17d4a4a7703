using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm chaos</c>: runs on real processes that are killed, stopped and replaced, and a verdict on each.</summary>
internal static class ChaosCommand
{
    private static readonly Argument<string?> Data = new("FASTA") { Description = "sequences to train on [samples/influenza.fasta]", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Runs = Of("--runs", "N", "how many runs [10]");
    private static readonly Option<string?> Seed = Of("--seed", "S", "decides settings and faults of all runs [1]");
    private static readonly Option<string?> First = Of("--first", "N", "number of the first run: to have one that failed again [1]");
    private static readonly Option<string?> Settings = Of("--settings", string.Join('|', ChoiceText.Words<SettingsChoice>()), "drawn: each run has settings of its own; default: all have the same [drawn]");
    private static readonly Option<string?> Silos = Of("--silos", "N", "silos that a run begins with and is brought back to [3]");
    private static readonly Option<string?> Kinds = Of("--kinds", "LIST", $"which faults to draw from [{string.Join(',', FaultSchedule.Drawn.Select(Listing.Word))}]");
    private static readonly Option<string?> Faults = Of("--faults", "LIST", "these instead, in every run: 'kill driver at step 3 during push; drain silo-1 at step 9'");
    private static readonly Option<string?> Replacements = Of("--replacements", string.Join('|', ChoiceText.Words<Replacement>()), "a silo that has ended is replaced at once, after the next step, or in every other run the one and the other [alternating]");
    private static readonly Option<string?> Storm = Of("--storm", "SECONDS", "instead, one kill every so many seconds, run after run on one cluster");
    private static readonly Option<string?> Duration = Of("--duration", "SECONDS", "how long the storm lasts [300]");
    private static readonly Option<string?> Trace = Of("--trace", "FILE", "instead, what a CSV of time_seconds,silo,up|down says");
    private static readonly Option<string?> Model = Of("--model", "NAME|PATH", "preset or config.json of the model to train [tiny]");
    private static readonly Option<string?> Epochs = Of("--epochs", "N", "epochs of a run, of some 4 steps each [6; 3 with a large model]");
    private static readonly Option<string?> Output = Of("--output", "FOLDER", "where runs and logs go [chaos in the cache folder]");
    private static readonly Option<bool> Keep = new("--keep") { Arity = ArgumentArity.Zero, Description = "keep also the runs that passed" };
    private static readonly Option<bool> Json = new("--json") { Arity = ArgumentArity.Zero, Description = "print one object on standard output" };
    private static readonly Option<bool> Verbose = new("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };

    public static Command Create()
    {
        var command = new Command("chaos", """
            Example: genslm chaos --runs 5 --seed 7

            Trains a small model on real silo processes of this machine, each run with settings of its own, while faults strike
            them (kill -9, SIGSTOP, drain, join, slow silo, restart of Redis or of everything, full or slow disk, silos cut off
            from each other, a device that hangs, a bit that flips; at any phase of a step), and checks that each run ends in
            the weights of an undisturbed one with the same settings, with every record seen once, no step lost or applied
            twice, and no silo lost that was not struck. Exit code 0: all passed; 1: one did not, and its seed, its settings,
            its faults and its logs are named.
            """);
        command.Arguments.Add(Data);
        foreach (var option in (Option[])[Runs, Seed, First, Settings, Silos, Kinds, Faults, Replacements, Storm, Duration, Trace, Model, Epochs, Output, Keep, Json, Verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) => await RunAsync(Read(parsed), parsed.GetValue(Json), cancellation));
        return command;
    }

    private static Option<string?> Of(string name, string placeholder, string description) => new(name) { HelpName = placeholder, Description = description };

    private static ChaosSettings Read(ParseResult parsed)
    {
        string? Text(Option<string?> option) => parsed.GetValue(option);
        if (new[] { Faults, Storm, Trace }.Where(option => Text(option) is not null).Select(option => option.Name).ToArray() is { Length: > 1 } modes)
            throw new UsageException($"{modes[0]} and {modes[1]} exclude each other; give one of them.");
        if (Text(Replacements) is not null && (Text(Storm) ?? Text(Trace)) is not null)
            throw new UsageException("--replacements goes with runs that have faults of their own: a storm replaces at once, and in a trace silos come back when it says so.");
        if (Text(Duration) is not null && Text(Storm) is null) throw new UsageException("--duration says how long a storm lasts; it needs --storm SECONDS.");
        return new ChaosSettings
        {
            Data = parsed.GetValue(Data) ?? Sample(),
            Model = Text(Model) ?? "tiny",
            Epochs = Text(Epochs) is { } epochs ? Count("epochs", epochs, int.MaxValue / RunSize.StepsPerEpoch) : null,
            Settings = Text(Settings) is { } choice ? ChoiceText.Parse<SettingsChoice>("settings", choice) : SettingsChoice.Drawn,
            Runs = Count("runs", Text(Runs) ?? "10", int.MaxValue),
            Seed = RunOption.ParseNumber<ulong>("seed", Text(Seed) ?? "1"),
            FirstRun = Count("first", Text(First) ?? "1", int.MaxValue),
            Silos = Count("silos", Text(Silos) ?? "3", ChaosCluster.Places - 2),
            Kinds = Text(Kinds) is { } kinds ? Several("kinds", kinds, ',', word => ChoiceText.Parse<FaultKind>("kinds", word)) : FaultSchedule.Drawn,
            Faults = Text(Faults) is { } faults ? Several("faults", faults, ';', Fault.Parse) : default,
            Replacements = Text(Replacements) is { } when ? ChoiceText.Parse<Replacement>("replacements", when) : Replacement.Alternating,
            Storm = Text(Storm) is { } storm ? Seconds("storm", storm) : null,
            Duration = Seconds("duration", Text(Duration) ?? "300"),
            Trace = Text(Trace) is { } trace ? SpotTrace.Read(trace) : default,
            FailureDetection = Seconds("GENSLM_FAILURE_DETECTION", Environment.GetEnvironmentVariable("GENSLM_FAILURE_DETECTION") is { Length: > 0 } set ? set : "2"),
            Folder = Path.GetFullPath(Text(Output) ?? Path.Combine(CacheFolder.Path, "chaos")),
            Keep = parsed.GetValue(Keep),
        };
    }

    private static async Task<int> RunAsync(ChaosSettings settings, bool json, CancellationToken cancellation)
    {
        var report = await new ChaosCampaign(settings, TimeProvider.System, Console.Error).RunAsync(cancellation);
        await Console.Out.WriteLineAsync(json ? ChaosText.Json(report) : ChaosText.Table(report));
        return report.HasPassed ? ExitCode.Done : ExitCode.RunFailed;
    }

    private static int Count(string name, string text, int most) => RunOption.ParseNumber<int>(name, text) switch
    {
        < 1 and var number => throw new UsageException($"{name} is {number}; it must be at least 1."),
        var number when number > most => throw new UsageException($"{name} is {number}; it must be at most {most}."),
        var number => number,
    };

    private static TimeSpan Seconds(string name, string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= 1e6
            ? TimeSpan.FromSeconds(seconds)
            : throw new UsageException($"{name} is '{text}'; expected seconds above 0.");

    private static ImmutableArray<T> Several<T>(string name, string list, char separator, Func<string, T> parse)
    {
        var several = list.Split(separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(parse).ToImmutableArray();
        return several.IsEmpty ? throw new UsageException($"{name} is '{list}'; expected at least one.") : several;
    }

    // Where 'genslm' is run from its source tree, in whichever folder.
    private static string Sample()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var sample = Path.Combine(folder.FullName, "samples", "influenza.fasta");
            if (File.Exists(sample)) return sample;
        }

        throw new UsageException("There is no samples/influenza.fasta here; name a FASTA file: 'genslm chaos FASTA'.");
    }
}
