using System.Globalization;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>
/// Places at which 'genslm chaos' can make a fault strike. Off unless GENSLM_FAULT_POINTS names a folder; then a silo that
/// comes by such a place looks there for a file <c>PID.PHASE</c> or <c>any.PHASE</c>, holding the step from which on it
/// counts. The first to come says so in <c>PID.PHASE.reached</c> ("PID STEP") and stays where it is until the file is gone,
/// for some seconds at most.
/// </summary>
internal static class FaultPoint
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("GENSLM_FAULT_POINTS") is { Length: > 0 } folder ? folder : null;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    /// <summary>Called where a grain comes by <paramref name="phase"/> of <paramref name="step"/>.</summary>
    public static Task ReachAsync(FaultPhase phase, long step) => Folder is null ? Task.CompletedTask : Task.Run(() => Reach(phase, step));

    /// <summary>The same for work that has a thread of its own.</summary>
    public static void Reach(FaultPhase phase, long step)
    {
        if (Folder is null) return;
        var word = JsonNamingPolicy.KebabCaseLower.ConvertName(phase.ToString());
        foreach (var who in (string[])[Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "any"])
        {
            var armed = Path.Combine(Folder, $"{who}.{word}");
            if (FirstStep(armed) is not { } first || step < first || !Claim(armed, step)) continue;
            SpinWait.SpinUntil(() => !File.Exists(armed), Longest);
            return;
        }
    }

    private static long? FirstStep(string armed)
    {
        try
        {
            return File.Exists(armed) && long.TryParse(File.ReadAllText(armed), NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // Of several that come by, one creates the file.
    private static bool Claim(string armed, long step)
    {
        try
        {
            using var claim = new FileStream($"{armed}.reached", FileMode.CreateNew, FileAccess.Write);
            claim.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {step}\n")));
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
