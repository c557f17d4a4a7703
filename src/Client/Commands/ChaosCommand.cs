using System.Collections.Immutable;
using System.CommandLine;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm chaos</c>: runs on real processes that are killed, stopped and replaced, and a verdict on each.</summary>
internal static class ChaosCommand
{
    public static Command Create()
    {
        var command = new Command("chaos", """
            Example: genslm chaos --runs 5 --seed 7

            Trains a small model on real silo processes of this machine while faults strike them, and checks that each run
            ends in the weights of an undisturbed one, every record seen once, no step lost or applied twice. Exit code 0:
            all passed; 1: one did not, and its seed, its faults and its logs are named.
            """);
        var data = new Argument<string?>("FASTA") { Description = "sequences to train on [samples/influenza.fasta]", Arity = ArgumentArity.ZeroOrOne };
        var runs = new Option<string?>("--runs") { HelpName = "N", Description = "how many runs [10]" };
        var seed = new Option<string?>("--seed") { HelpName = "S", Description = "decides the faults of all runs [1]" };
        var first = new Option<string?>("--first") { HelpName = "N", Description = "the number of the first run, to have one again [1]" };
        var silos = new Option<string?>("--silos") { HelpName = "N", Description = "silos of a run [3]" };
        var kinds = new Option<string?>("--kinds") { HelpName = "LIST", Description = $"which faults [{string.Join(',', Words)}]" };
        var output = new Option<string?>("--output") { HelpName = "FOLDER", Description = "where runs and logs go; those that passed are removed [in the cache folder]" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(data);
        foreach (var option in (Option[])[runs, seed, first, silos, kinds, output, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) => await RunAsync(
            new ChaosSettings
            {
                Data = parsed.GetValue(data) ?? Sample(),
                Runs = AtLeastOne("runs", parsed.GetValue(runs) ?? "10"),
                Seed = RunOption.ParseNumber<ulong>("seed", parsed.GetValue(seed) ?? "1"),
                FirstRun = AtLeastOne("first", parsed.GetValue(first) ?? "1"),
                Silos = AtLeastOne("silos", parsed.GetValue(silos) ?? "3"),
                Kinds = Kinds(parsed.GetValue(kinds)),
                Folder = Path.GetFullPath(parsed.GetValue(output) ?? Path.Combine(CacheFolder.Path, "chaos")),
            },
            cancellation));
        return command;
    }

    private static string[] Words => [.. Enum.GetValues<FaultKind>().Select(Listing.Word)];

    private static async Task<int> RunAsync(ChaosSettings settings, CancellationToken cancellation)
    {
        var campaign = new ChaosCampaign(settings, TimeProvider.System, Console.Error);
        return await campaign.RunAsync(cancellation) ? ExitCode.Done : ExitCode.RunFailed;
    }

    private static int AtLeastOne(string name, string text) => RunOption.ParseNumber<int>(name, text) is var number && number > 0
        ? number
        : throw new UsageException($"{name} is {text}; it must be at least 1.");

    private static ImmutableArray<FaultKind> Kinds(string? list)
    {
        if (list is null) return [.. Enum.GetValues<FaultKind>()];
        var kinds = list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Kind).ToImmutableArray();
        return kinds.IsEmpty ? throw new UsageException($"kinds is '{list}'; expected some of {string.Join(", ", Words)}.") : kinds;
    }

    private static FaultKind Kind(string word)
    {
        int index = Array.IndexOf(Words, word);
        return index >= 0
            ? Enum.GetValues<FaultKind>()[index]
            : throw new UsageException($"kinds has '{word}'; expected some of {string.Join(", ", Words)}. Did you mean {NearestName.Of(word, Words)}?");
    }

    private static string Sample() => new[] { Path.Combine("samples", "influenza.fasta"), Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "samples", "influenza.fasta") }
        .FirstOrDefault(File.Exists) ?? throw new UsageException("There is no samples/influenza.fasta here; name a FASTA file: 'genslm chaos FASTA'.");
}
