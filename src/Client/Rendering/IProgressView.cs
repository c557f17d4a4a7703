using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>Shows a run's progress on standard error. Knows statuses, never grains.</summary>
internal interface IProgressView
{
    /// <param name="runId">The run.</param>
    /// <param name="output">Its output folder.</param>
    /// <param name="metrics">Where its silos' metrics are; empty: not known here.</param>
    void Started(string runId, string output, IReadOnlyList<string> metrics);

    /// <summary>Shows a status and the events it brings.</summary>
    void Show(RunStatus status);

    void Note(string text);

    /// <summary>Leaves the terminal as plain text. May be called again.</summary>
    Task EndAsync();
}

internal static class ProgressView
{
    /// <summary>A live view on a terminal; plain lines elsewhere, with --plain, NO_COLOR or TERM=dumb.</summary>
    public static IProgressView Choose(bool plain)
    {
        bool live = !plain
            && !Console.IsErrorRedirected
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && Environment.GetEnvironmentVariable("TERM") != "dumb";
        return live ? new LiveProgress() : new PlainProgress(Console.Error);
    }
}
