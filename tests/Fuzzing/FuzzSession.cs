using System.Diagnostics;

namespace GenSlmOrleans.Fuzzing;

/// <summary>A case that broke a promise.</summary>
/// <param name="Case">Its number, or the name of the extreme input.</param>
/// <param name="Sentence">What went wrong.</param>
/// <param name="Input">What was read; null when it did not end: its files are in the folder.</param>
public sealed record FuzzFinding(string Case, string Sentence, FuzzInput? Input);

/// <summary>Many cases of one target, counted. A case that does not end ends the session.</summary>
public sealed class FuzzSession(FuzzTarget target, string folder, int seed)
{
    // Passing time, not processor time: other work on the machine must not look like a hang.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly FuzzRun _run = new(target, folder);
    private readonly List<FuzzFinding> _findings = [];
    private string _current = "";
    private long _started;

    /// <summary>What went wrong.</summary>
    public IReadOnlyList<FuzzFinding> Findings => _findings;

    /// <summary>Cases run.</summary>
    public int Count { get; private set; }

    /// <summary>Cases that were read, and rightly.</summary>
    public int Accepted { get; private set; }

    /// <summary>Cases that were refused in a sentence.</summary>
    public int Refused => Count - Accepted - _findings.Count;

    /// <summary>The processor time of the slowest case.</summary>
    public TimeSpan Slowest { get; private set; }

    /// <summary>The most memory that a case held at once; see <see cref="FuzzOutcome.HeldBytes"/>.</summary>
    public long LargestBytes { get; private set; }

    /// <summary>Runs cases made from the seed and their numbers.</summary>
    public void RunCases(int first, int count, int mostFindings = 10) => Watch(() =>
    {
        for (int number = first; number < first + count && _findings.Count < mostFindings; number++)
            RunOne(number.ToString(), () => target.Create(FuzzRun.RandomOf(seed, number)));
    });

    /// <summary>Runs the target's extreme inputs.</summary>
    public void RunExtremes() => Watch(() =>
    {
        foreach (var (name, create) in target.Extremes) RunOne(name, create);
    });

    private void RunOne(string name, Func<FuzzInput> create)
    {
        Volatile.Write(ref _current, name);
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        var input = create();
        var outcome = _run.Try(input);
        Count++;
        if (outcome.Finding is { } sentence) _findings.Add(new FuzzFinding(name, sentence, input));
        else if (outcome.Accepted) Accepted++;
        if (outcome.Time > Slowest) Slowest = outcome.Time;
        LargestBytes = Math.Max(LargestBytes, outcome.HeldBytes);
    }

    private void Watch(Action work)
    {
        Exception? failure = null;
        var worker = new Thread(() =>
        {
            try
            {
                work();
            }
            catch (Exception error)
            {
                failure = error;
            }
        })
        { IsBackground = true };
        Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        worker.Start();
        while (!worker.Join(TimeSpan.FromMilliseconds(100)))
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref _started)) < s_patience) continue;
            // The thread cannot be ended; whoever runs the session ends the process.
            _findings.Add(new FuzzFinding(Volatile.Read(ref _current), $"It does not end: {s_patience.TotalSeconds:F0} s have passed.", null));
            return;
        }

        if (failure is not null) throw new InvalidOperationException($"Case {_current} of {target.Name} could not be made: {failure}", failure);
    }
}
