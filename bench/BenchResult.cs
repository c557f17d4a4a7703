using System.Globalization;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Bench;

/// <summary>What a ratio has to be.</summary>
/// <param name="Value">The bar.</param>
/// <param name="IsMost">Whether the ratio is to be at most that; else at least.</param>
internal readonly record struct Bar(double Value, bool IsMost)
{
    public static Bar AtMost(double value) => new(value, IsMost: true);

    public static Bar AtLeast(double value) => new(value, IsMost: false);

    public bool IsMetBy(double ratio) => IsMost ? ratio <= Value : ratio >= Value;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(IsMost ? "≤" : "≥")} {Value:0.##}");
}

/// <summary>One line of the table: ours beside something else.</summary>
/// <param name="Bench">Which bench.</param>
/// <param name="What">What was measured, of what.</param>
/// <param name="Ours">Our figure.</param>
/// <param name="Beside">The other.</param>
/// <param name="Unit">Of both.</param>
/// <param name="BesideWhat">What the other is.</param>
/// <param name="Bar">What the ratio of the two has to be.</param>
internal sealed record BenchResult(string Bench, string What, double Ours, double Beside, string Unit, string BesideWhat, [property: JsonIgnore] Bar Bar)
{
    public double Ratio => Ours / Beside;

    public bool IsMet => Bar.IsMetBy(Ratio);

    [JsonPropertyName("bar")]
    public string BarText => Bar.ToString();

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Bench}  {What}: {Ours:G4} {Unit}  beside {Beside:G4} {Unit} ({BesideWhat})  ratio {Ratio:F2}, bar {Bar}{(IsMet ? "" : ", missed")}");
}
