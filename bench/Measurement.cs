using System.Diagnostics;
using System.Globalization;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>Timing, medians, and where the checkout is.</summary>
internal static class Measurement
{
    private const string Sample = "samples/influenza.fasta";
    private const string RealSequences = "../shared/data/h3n2_ha_cds.fasta";

    /// <summary>How long <paramref name="work"/> takes, in seconds.</summary>
    public static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The middle value; of an even number, the mean of the middle two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>A number as an option's value.</summary>
    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>The architecture of a preset.</summary>
    public static HuggingFaceConfig Preset(string name) => ModelPresets.Find(name)
        ?? throw new UsageException($"There is no model '{name}'; expected one of {string.Join(", ", ModelPresets.All.Select(preset => preset.Name))}.");

    /// <summary>A path of the checkout that this program was built in.</summary>
    public static string InCheckout(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, Sample))) return Path.GetFullPath(Path.Combine(folder.FullName, path));
        throw new UsageException($"No folder above {AppContext.BaseDirectory} has {Sample}; run the bench from where it was built.");
    }

    /// <summary>The sample that comes with the code.</summary>
    public static string SampleFasta() => InCheckout(Sample);

    /// <summary>Real sequences where they are, else the sample, whose records are short.</summary>
    public static string DefaultFasta()
    {
        var real = InCheckout(RealSequences);
        return File.Exists(real) ? real : SampleFasta();
    }
}
