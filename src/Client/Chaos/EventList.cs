using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What a run said of itself and what struck it, by time, a line each: how a recovery went can be read off it.</summary>
internal static class EventList
{
    public static Task WriteAsync(string path, IEnumerable<RunEvent> events, IEnumerable<Strike> strikes) => File.WriteAllLinesAsync(
        path,
        events.Select(happened => (happened.Time, Text: Line(happened)))
            .Concat(strikes.Select(strike => (strike.Time, Text: $"*** {strike}")))
            .OrderBy(line => line.Time)
            .Select(line => string.Create(CultureInfo.InvariantCulture, $"{line.Time:HH:mm:ss.fff} {line.Text}")));

    private static string Line(RunEvent happened) => happened.Metric is { } metric
        ? string.Create(CultureInfo.InvariantCulture, $"{happened.Kind} {happened.Step}: {metric.Seconds:F3} s")
        : string.Create(CultureInfo.InvariantCulture, $"{happened.Kind} {happened.Step}: {happened.Text}");
}
