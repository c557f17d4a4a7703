using System.Globalization;
using System.Text;

namespace GenSlmOrleans.Bench;

/// <summary>What all starts came to, a line a configuration.</summary>
internal sealed class StartsTable
{
    private readonly StringBuilder _lines = new();

    public StartsTable() => _lines.AppendLine(Line("configuration", "starts", "completed", "declared dead", "gave up", "hashes", "median s", "longest stall s", "load"));

    /// <summary>Whether every start was completed, no silo died, no console gave up, and each configuration has one hash.</summary>
    public bool IsAllWell { get; private set; } = true;

    /// <summary>The machine's load of the last minute.</summary>
    public static double LoadNow() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    public void Add(StartConfiguration configuration, double load, IReadOnlyList<StartOutcome> outcomes)
    {
        int completed = outcomes.Count(outcome => outcome.Completed);
        int dead = outcomes.Sum(outcome => outcome.DeadSilos.Count);
        int gaveUp = outcomes.Count(outcome => outcome.GaveUp);
        int hashes = outcomes.Select(outcome => outcome.WeightsSha256).OfType<string>().Distinct(StringComparer.Ordinal).Count();
        IsAllWell &= completed == outcomes.Count && dead == 0 && gaveUp == 0 && hashes == 1;
        _lines.AppendLine(Line(
            $"{configuration.Model} on {configuration.Silos}", outcomes.Count, completed, dead, gaveUp, hashes,
            Text(Measurement.Median(outcomes.Select(outcome => outcome.Seconds)), "F1"), Text(outcomes.Max(outcome => outcome.StallSeconds), "F2"), Text(load, "F1")));
    }

    public override string ToString() => _lines.ToString().TrimEnd();

    private static string Line(string configuration, object starts, object completed, object dead, object gaveUp, object hashes, string seconds, string stall, string load) =>
        string.Create(CultureInfo.InvariantCulture, $"{configuration,-24}  {starts,6}  {completed,9}  {dead,13}  {gaveUp,7}  {hashes,6}  {seconds,8}  {stall,15}  {load,4}");

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
