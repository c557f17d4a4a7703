using GenSlmOrleans.Abstractions;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>At most 12 lines at the bottom of the terminal, redrawn at most 4 times a second; ends as plain text.</summary>
internal sealed class LiveProgress : IProgressView
{
    private const int EventsShown = 3;
    private const int SilosShown = 5;
    private const int BarWidth = 16;
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(250);

    // Notes come from whoever waits for something.
    private readonly Lock _gate = new();
    private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
    private readonly Queue<string> _events = new();
    private readonly TaskCompletionSource _ended = new();
    private readonly Task _drawing;
    private LiveDisplayContext? _display;
    private long _drawn;
    private RunStatus _status = new();
    private string _reason = "";

    public LiveProgress() => _drawing = _console.Live(new Text("starting…")).StartAsync(async display =>
    {
        _display = display;
        await _ended.Task;
    });

    public void Started(string runId, string output, IReadOnlyList<string> metrics) =>
        _console.WriteLine(EventText.Started(runId, output, metrics));

    public void Show(RunStatus status)
    {
        lock (_gate)
        {
            _status = status;
            foreach (var happened in status.Events.Where(happened => happened.Kind != RunEventKind.Step)) Remember(EventText.Line(happened, status));
            if (!status.Events.IsEmpty) _reason = EventText.Line(status.Events[^1], status);
            if (!status.IsOver && TimeProvider.System.GetElapsedTime(_drawn) < RedrawInterval) return;
            Draw();
        }
    }

    public void Note(string text)
    {
        lock (_gate)
        {
            Remember(text);
            Draw();
        }
    }

    public async Task EndAsync()
    {
        _ended.TrySetResult();
        await _drawing;
    }

    private void Remember(string line)
    {
        _events.Enqueue(line);
        if (_events.Count > EventsShown) _events.Dequeue();
    }

    private void Draw()
    {
        _drawn = TimeProvider.System.GetTimestamp();
        _display?.UpdateTarget(new Rows(Lines(_status, _reason).Concat(_events).Select(line => (IRenderable)new Text(line, Style.Plain) { Overflow = Overflow.Ellipsis })));
    }

    private static IEnumerable<string> Lines(RunStatus status, string reason)
    {
        int filled = status.TotalSteps == 0 ? 0 : (int)(BarWidth * status.Step / status.TotalSteps);
        yield return EventText.Invariant(
            $"run {status.RunId}  {status.State.ToString().ToUpperInvariant()}  epoch {status.Epoch}/{status.Epochs} ▕{new string('█', filled)}{new string(' ', BarWidth - filled)}▏ step {status.Step:N0}/{status.TotalSteps:N0}  ETA {EventText.Duration(status.RemainingSeconds)}");
        var best = status.BestStep is { } step ? EventText.Invariant($" (best {status.BestValidationLoss:F4} @ step {step})") : "";
        yield return EventText.Invariant(
            $"train {status.TrainLoss:F4}  val {status.ValidationLoss:F4}{best}  lr {status.LearningRate:0.0e+0}  |g| {status.GradientNorm:G3}");
        long computed = status.Tokens + status.PaddingTokens;
        yield return status.State == RunState.Waiting ? $"waits: {reason}" : EventText.Invariant(
            $"{EventText.Thousands(status.TokensPerSecond)} tok/s  {status.Tokens:N0} tokens  padding {(computed == 0 ? 0 : 100.0 * status.PaddingTokens / computed):F0} %");
        foreach (var share in status.Devices.Take(SilosShown)) yield return EventText.Share(share);
        if (status.Devices.Length > SilosShown) yield return $"and {status.Devices.Length - SilosShown} more devices";
    }
}
