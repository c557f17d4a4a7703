using System.Text.RegularExpressions;

namespace GenSlmOrleans.Client.Local;

/// <summary>
/// The lines of a process' log that say why it ended: errors, warnings of our own, unhandled exceptions, and what native
/// libraries and the program itself wrote past the log. Not stack frames, and not others' warnings, which every silo has.
/// </summary>
internal static partial class LogExcerpt
{
    private const int LinesShown = 5;
    private const int LongestLine = 300;

    // Both announce what is then written past the log.
    private const string Announcement = "Process terminated.";
    private const string Announcer = "Orleans.Runtime.FatalErrorHandler";

    public static IReadOnlyList<string> Of(IEnumerable<string> log)
    {
        List<(string Line, string Message)> chosen = [];
        foreach (var line in log)
        {
            if (MessageThatMatters(line) is not { } message) continue;
            // An error is logged where it is found, and again by who ends the process for it.
            chosen.RemoveAll(earlier => message.Contains(earlier.Message, StringComparison.Ordinal));
            chosen.Add((line, message));
        }

        return [.. chosen.TakeLast(LinesShown).Select(entry => Shortened(entry.Line.Trim()))];
    }

    // Null: it does not matter.
    private static string? MessageThatMatters(string line)
    {
        if (Entry().Match(line) is not { Success: true } entry) return IsOfOutput(line) ? line.Trim() : null;
        var (level, category) = (entry.Groups["level"].Value, entry.Groups["category"].Value);
        bool matters = category.StartsWith("GenSlmOrleans.", StringComparison.Ordinal) ? level is "warn" or "fail" or "crit" : level is "fail" or "crit" && category != Announcer;
        return matters ? entry.Groups["message"].Value : null;
    }

    private static bool IsOfOutput(string line) =>
        !string.IsNullOrWhiteSpace(line) && line != Announcement && !Frame().IsMatch(line);

    private static string Shortened(string line) => line.Length <= LongestLine ? line : $"{line.AsSpan(0, LongestLine)}…";

    [GeneratedRegex(@"^[\d:.]+ (?<level>trce|dbug|info|warn|fail|crit): (?<category>[^\[]*)\[\d+\] (?<message>.+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Entry();

    [GeneratedRegex(@"^\s*(at |--- End of )", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Frame();
}
