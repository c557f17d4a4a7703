using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// Makes silos wait at a phase of a step, so that a fault can strike just there: a file in the folder that
/// GENSLM_FAULT_POINTS names to them (FaultPoint, in the grains, has its form). Disposing lets them go on.
/// </summary>
internal sealed class FaultArm : IDisposable
{
    private readonly string _path;

    private FaultArm(string path) => _path = path;

    private string ReachedPath => $"{_path}.reached";

    /// <summary>From <paramref name="step"/> on, the first silo that comes to <paramref name="phase"/> waits there.</summary>
    /// <param name="folder">The folder of fault points.</param>
    /// <param name="process">Only this process; null: whichever.</param>
    /// <param name="phase">Not <see cref="FaultPhase.Any"/>.</param>
    /// <param name="step">From 1.</param>
    public static FaultArm Set(string folder, int? process, FaultPhase phase, long step)
    {
        var who = process?.ToString(CultureInfo.InvariantCulture) ?? "any";
        var arm = new FaultArm(Path.Combine(folder, $"{who}.{Listing.Word(phase)}"));
        File.Delete(arm.ReachedPath);
        AtomicFile.Write(arm._path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            writer.Write(step.ToString(CultureInfo.InvariantCulture));
        });
        return arm;
    }

    /// <summary>The process that waits, and at which step; null while none does.</summary>
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
