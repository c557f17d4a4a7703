using System.Globalization;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>
/// The bounds of numbers, found by asking <see cref="TrainSettings.Validate"/>, which enforces them: written down a second
/// time, for the schema, they would soon be others.
/// </summary>
internal static class SettingBounds
{
    /// <summary>Sound, and as free as can be: bounds that depend on other settings do not show.</summary>
    private static readonly TrainSettings Free = new() { Spec = new RunSpec { Data = "x.fasta", Shards = 65_536, Schedule = LearningRateScheduleKind.Cosine } };

    private static readonly int[] WholeNumbers = [.. Enumerable.Range(-4, 12)];

    /// <summary>Adds the keywords of JSON Schema that say which numbers <paramref name="option"/> takes.</summary>
    public static void Describe(RunOption option, JsonObject property)
    {
        if (option.Kind == ValueKind.WholeNumber) DescribeWhole(option, property);
        if (option.Kind == ValueKind.Number) DescribeReal(option, property);
    }

    // A smallest number, and the holes above it: 0 for "as many as there are", then nothing before 2.
    private static void DescribeWhole(RunOption option, JsonObject property)
    {
        var taken = WholeNumbers.Where(number => IsTaken(option, number)).ToArray();
        if (taken[0] != WholeNumbers[0]) property["minimum"] = taken[0];
        var holes = Enumerable.Range(taken[0], taken[^1] - taken[0]).Except(taken).Select(number => (JsonNode)number).ToArray();
        if (holes.Length > 0) property["not"] = new JsonObject { ["enum"] = new JsonArray(holes) };
        if (Largest(option) is { } largest) property["maximum"] = largest;
    }

    // Above the holes all numbers are taken up to the largest; where that is the type's, there is no bound.
    private static long? Largest(RunOption option)
    {
        long taken = WholeNumbers[^1];
        long refused = long.MaxValue;
        if (IsTaken(option, refused)) return null;
        while (refused - taken > 1)
        {
            long middle = taken + ((refused - taken) / 2);
            if (IsTaken(option, middle)) taken = middle;
            else refused = middle;
        }

        return taken == int.MaxValue ? null : taken;
    }

    private static void DescribeReal(RunOption option, JsonObject property)
    {
        const double JustAbove = 1e-9;
        if (!IsTaken(option, -JustAbove)) property[IsTaken(option, 0) ? "minimum" : "exclusiveMinimum"] = 0;
        if (!IsTaken(option, 1 + JustAbove)) property[IsTaken(option, 1) ? "maximum" : "exclusiveMaximum"] = 1;
    }

    private static bool IsTaken(RunOption option, IFormattable number)
    {
        try
        {
            return !option.Set(Free, number.ToString(null, CultureInfo.InvariantCulture)).Validate().Any(problem => problem.StartsWith(option.Key + " is ", StringComparison.Ordinal));
        }
        catch (UsageException)
        {
            // No number of the setting's type: a seed below 0.
            return false;
        }
    }
}
