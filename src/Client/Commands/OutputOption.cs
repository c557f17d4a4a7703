using System.CommandLine;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>-o table|json</c>: how a listing is printed.</summary>
internal static class OutputOption
{
    public static Option<string?> Create() => new("--output", "-o") { HelpName = "table|json", Description = "how to print [table]" };

    /// <exception cref="UsageException">It is neither.</exception>
    public static bool IsJson(string? value) => value switch
    {
        null or "table" => false,
        "json" => true,
        _ => throw new UsageException($"output is '{value}'; expected table or json."),
    };
}
