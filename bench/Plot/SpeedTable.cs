using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Plot;

/// <summary>A table is not as it should be; the message is one sentence that names file and line.</summary>
internal sealed class TableException(string message) : Exception(message);

/// <summary>One optimizer step.</summary>
/// <param name="Start">When the step before was applied, in seconds.</param>
/// <param name="End">When this one was.</param>
/// <param name="Speed">Tokens per second between the two.</param>
/// <param name="Silos">How many silos it was planned on.</param>
internal readonly record struct SpeedStep(double Start, double End, double Speed, int Silos);

/// <summary>What was done to the cluster, and when.</summary>
internal readonly record struct SpeedEvent(double Time, string Name);

/// <summary>The speed of a run, step by step, and what was done to its cluster meanwhile.</summary>
internal sealed record SpeedTable(ImmutableArray<SpeedStep> Steps, ImmutableArray<SpeedEvent> Events)
{
    private const string Header = "kind,name,start_seconds,end_seconds,tokens_per_second,silos";

    /// <summary>Reads the table that <c>bench elastic</c> writes.</summary>
    /// <exception cref="TableException">It is another one.</exception>
    public static SpeedTable Read(string path)
    {
        var lines = File.ReadAllLines(path);
        if (lines.Length == 0 || lines[0] != Header) throw new TableException($"{path} line 1 is '{lines.FirstOrDefault()}'; expected '{Header}'.");
        var steps = ImmutableArray.CreateBuilder<SpeedStep>();
        var events = ImmutableArray.CreateBuilder<SpeedEvent>();
        for (int i = 1; i < lines.Length; i++)
        {
            var fields = lines[i].Split(',');
            if (fields.Length == 6 && fields[0] == "step") steps.Add(new SpeedStep(Number(2), Number(3), Number(4), (int)Number(5)));
            else if (fields.Length == 6 && fields[0] == "event") events.Add(new SpeedEvent(Number(2), fields[1]));
            else throw new TableException($"{path} line {i + 1} is '{lines[i]}'; expected six fields that begin with 'step' or 'event'.");

            double Number(int field) => double.TryParse(fields[field], NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
                ? number
                : throw new TableException($"{path} line {i + 1} has '{fields[field]}' for {Header.Split(',')[field]}; expected a number.");
        }

        return steps.Count > 0 ? new SpeedTable(steps.ToImmutable(), events.ToImmutable()) : throw new TableException($"{path} has no line of a step; there is nothing to draw.");
    }
}
