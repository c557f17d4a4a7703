using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>One line an event.</summary>
internal sealed class PlainProgress(TextWriter output) : IProgressView
{
    public void Started(string runId, string folder, IReadOnlyList<string> metrics) =>
        output.WriteLine(EventText.Started(runId, folder, metrics));

    public void Show(RunStatus status)
    {
        foreach (var happened in status.Events)
            if (EventText.Line(happened, status) is { } line) output.WriteLine(line);
    }

    public void Note(string text) => output.WriteLine(text);

    public Task EndAsync() => Task.CompletedTask;
}
