using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What happens to one silo at one time.</summary>
/// <param name="Time">Since the beginning.</param>
/// <param name="Silo">Which, by its number in the order in which the trace names them.</param>
/// <param name="IsUp">It comes; otherwise it goes, without a word.</param>
internal sealed record SpotEvent(TimeSpan Time, int Silo, bool IsUp);

/// <summary>
/// A trace of machines that come and are taken away, as spot instances are: a CSV file with the columns time_seconds, silo
/// (any name) and up or down, in the order of time. Silos that are up at 0 are there from the beginning.
/// </summary>
internal static class SpotTrace
{
    private const string Header = "time_seconds,silo,state";

    /// <summary>Reads a trace.</summary>
    /// <exception cref="UsageException">A line is not as it should be; the message names file and line.</exception>
    public static ImmutableArray<SpotEvent> Read(string path)
    {
        if (!File.Exists(path)) throw new UsageException($"There is no trace {path}; expected a CSV file with the columns {Header}.");
        var names = new List<string>();
        var up = new HashSet<int>();
        var events = ImmutableArray.CreateBuilder<SpotEvent>();
        int number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (line.Trim().Length == 0 || line.StartsWith('#') || (number == 1 && line.Trim() == Header)) continue;
            var happened = Parse(line, names, sentence => new UsageException($"{path} line {number}: {sentence}"));
            if (events.Count > 0 && happened.Time < events[^1].Time) throw new UsageException($"{path} line {number}: the time is {line.Split(',')[0]}, before that of the line before; expected lines in the order of time.");
            if (!(happened.IsUp ? up.Add(happened.Silo) : up.Remove(happened.Silo)))
                throw new UsageException($"{path} line {number}: {names[happened.Silo]} is {(happened.IsUp ? "up" : "down")} already.");
            events.Add(happened);
        }

        if (names.Count > ChaosCluster.Places) throw new UsageException($"{path} names {names.Count} silos; at most {ChaosCluster.Places} are possible on one machine.");
        if (!events.Any(happened => happened.IsUp && happened.Time == TimeSpan.Zero)) throw new UsageException($"{path} has no silo that is up at time 0; expected at least one to begin with.");
        return events.ToImmutable();
    }

    private static SpotEvent Parse(string line, List<string> names, Func<string, UsageException> error)
    {
        var cells = line.Split(',', StringSplitOptions.TrimEntries);
        if (cells.Length != 3) throw error($"there are {cells.Length} columns; expected {Header}.");
        if (!double.TryParse(cells[0], NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) || !(seconds >= 0 && seconds <= TimeSpan.MaxValue.TotalSeconds / 2))
            throw error($"the time is '{cells[0]}'; expected seconds, at least 0.");
        if (cells[1].Length == 0) throw error("the silo has no name.");
        if (cells[2] is not ("up" or "down")) throw error($"the state is '{cells[2]}'; expected up or down.");
        if (!names.Contains(cells[1])) names.Add(cells[1]);
        return new SpotEvent(TimeSpan.FromSeconds(seconds), names.IndexOf(cells[1]), cells[2] == "up");
    }
}
