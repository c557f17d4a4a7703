using System.CommandLine;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>The settings of a run as options of a command: those given override the run file's.</summary>
internal sealed class RunOptionSet
{
    private readonly Option<string?> _config = new("--config") { HelpName = "FILE", Description = "run file (YAML or JSON); options override it" };
    private readonly Dictionary<RunOption, Option> _options;

    /// <param name="without">Keys that the command has no use for as options; a run file may have them.</param>
    public RunOptionSet(params string[] without) =>
        _options = RunOptions.All.Where(option => option.Key != "data" && !without.Contains(option.Key, StringComparer.Ordinal)).ToDictionary(option => option, Create);

    /// <summary>--config, then an option for each setting.</summary>
    public IEnumerable<Option> Options => [_config, .. _options.Values];

    /// <summary>The settings that a command line makes.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="runFile">A run file besides --config; null: none.</param>
    /// <param name="data">The sequences, where they are arguments.</param>
    /// <exception cref="UsageException">A value cannot be, or the run file cannot be read.</exception>
    public TrainSettings Read(ParseResult parsed, string? runFile, string[] data)
    {
        var settings = new TrainSettings();
        if ((runFile ?? parsed.GetValue(_config)) is { } file) settings = RunFile.Apply(settings, file);
        foreach (var (known, option) in _options)
        {
            if (parsed.GetResult(option) is not { Implicit: false }) continue;
            settings = known.Set(settings, option switch
            {
                Option<string[]> list => FileList.Join(parsed.GetValue(list) ?? []),
                Option<string?> value => parsed.GetValue(value) ?? "",
                _ => "true",
            });
        }

        return data.Length == 0 ? settings : settings with { Spec = settings.Spec with { Data = FileList.Join(data) } };
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
