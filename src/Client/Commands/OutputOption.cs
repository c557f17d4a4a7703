using System.CommandLine;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>-o table|wide|json|name</c>: how data are printed.</summary>
internal static class OutputOption
{
    public const string Table = "table";
    public const string Wide = "wide";
    public const string Json = "json";
    public const string Name = "name";

    /// <summary>For a command that knows tables and JSON.</summary>
    public static Option<string?> Create() => Create(Table, Json);

    /// <param name="forms">The forms that the command knows, the default first.</param>
    public static Option<string?> Create(params string[] forms) => new("--output", "-o")
    {
        HelpName = string.Join('|', forms),
        Description = $"how to print [{forms[0]}]",
    };

    /// <summary>The form that was asked for.</summary>
    /// <exception cref="UsageException">The command does not know it.</exception>
    public static string Read(ParseResult parsed, Option<string?> option)
    {
        var forms = option.HelpName!.Split('|');
        var form = parsed.GetValue(option) ?? forms[0];
        return forms.Contains(form, StringComparer.Ordinal)
            ? form
            : throw new UsageException($"output is '{form}'; expected one of {string.Join(", ", forms)}. Did you mean {NearestName.Of(form, forms)}?");
    }
}
