using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What happens at a place where silos are told to look.</summary>
/// <param name="Word">As FaultPoint, in the grains, reads it.</param>
/// <param name="Seconds">How long it takes at most.</param>
internal readonly record struct FaultOrder(string Word, double Seconds)
{
    /// <summary>The first to come waits, so that a fault can strike just there.</summary>
    public static FaultOrder Wait(TimeSpan most) => new("wait", most.TotalSeconds);

    /// <summary>Everybody who comes waits, each time.</summary>
    public static FaultOrder Slow(TimeSpan each) => new("slow", each.TotalSeconds);

    /// <summary>The first to come flips a bit of what it has in its hands, and goes on.</summary>
    public static FaultOrder Flip { get; } = new("flip", 0);
}

/// <summary>
/// Makes silos wait at a phase of a step, or do otherwise what a fault wants of them: a file in the folder that
/// GENSLM_FAULT_POINTS names to them (FaultPoint, in the grains, has its form). Disposing lets them go on.
/// </summary>
internal sealed class FaultArm : IDisposable
{
    private readonly string _path;

    private FaultArm(string path) => _path = path;

    private string ReachedPath => $"{_path}.reached";

    /// <summary>From <paramref name="step"/> on, silos that come to <paramref name="phase"/> do as they are told.</summary>
    /// <param name="folder">The folder of fault points.</param>
    /// <param name="process">Only this process; null: whichever.</param>
    /// <param name="phase">Not <see cref="FaultPhase.Any"/>.</param>
    /// <param name="step">From 1.</param>
    /// <param name="order">What happens there.</param>
    public static FaultArm Set(string folder, int? process, FaultPhase phase, long step, FaultOrder order)
    {
        var who = process?.ToString(CultureInfo.InvariantCulture) ?? "any";
        var arm = new FaultArm(Path.Combine(folder, $"{who}.{Listing.Word(phase)}"));
        File.Delete(arm.ReachedPath);
        AtomicFile.Write(arm._path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"{step} {order.Word} {order.Seconds:0.###}"));
        });
        return arm;
    }

    /// <summary>The process that came first, and at which step; null while none did.</summary>
    public (int Process, long Step)? Reached
    {
        get
        {
            if (!File.Exists(ReachedPath)) return null;
            var text = File.ReadAllText(ReachedPath);
            // Without the end of its line it is still being written.
            if (!text.EndsWith('\n')) return null;
            var words = text.Trim().Split(' ');
            return (int.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture));
        }
    }

    public void Dispose()
    {
        File.Delete(_path);
        File.Delete(ReachedPath);
    }
}
