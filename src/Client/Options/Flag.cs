using System.CommandLine;

namespace GenSlmOrleans.Client.Options;

/// <summary>Options without a value that several commands have.</summary>
internal static class Flag
{
    public static Option<bool> Create(string name, string description, params string[] aliases) =>
        new(name, aliases) { Arity = ArgumentArity.Zero, Description = description };

    public static Option<bool> Plain() => Create("--plain", "plain lines instead of a live view");

    public static Option<bool> Verbose() => Create("--verbose", "show stack traces");

    public static Option<bool> Summary() => Create("--json", "print one JSON object on standard output at the end");

    public static Option<bool> Detach() => Create("--detach", "do not watch the run", "--no-wait");
}
