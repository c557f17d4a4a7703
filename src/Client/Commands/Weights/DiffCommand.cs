using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Commands.Weights;

/// <summary><c>genslm weights diff A B</c>: how far the values of two weight files are apart.</summary>
internal static class DiffCommand
{
    public static Command Create()
    {
        var command = new Command("diff", """
            Example: genslm weights diff a.pt b.safetensors --tolerance 1e-6

            Shows the largest absolute and relative difference of each tensor, whatever the two files' formats, element types and
            prefixes; known buffers do not count. Exit code 1 when an absolute difference is beyond the tolerance or a tensor is missing.
            """);
        var first = new Argument<string>("A") { Description = "a weight file, an index of sharded ones, or a Hugging Face folder" };
        var second = new Argument<string>("B") { Description = "another" };
        var tolerance = new Option<string?>("--tolerance") { HelpName = "X", Description = "largest absolute difference that is accepted [0]" };
        var json = new Option<bool>("--json") { Arity = ArgumentArity.Zero, Description = "print one JSON object" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(first);
        command.Arguments.Add(second);
        foreach (var option in (Option[])[tolerance, json, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, _) =>
        {
            double limit = parsed.GetValue(tolerance) is { } text ? RunOption.ParseNumber<double>("tolerance", text) : 0;
            if (!(limit >= 0)) throw new UsageException($"tolerance is {limit:R}; it must be 0 or above.");
            using var left = WeightFile.Open(parsed.GetValue(first)!);
            using var right = WeightFile.Open(parsed.GetValue(second)!);
            var differences = WeightComparison.Compare(left, right).ToList();
            var worst = differences.Where(difference => Exceeds(difference, limit)).ToList();
            if (parsed.GetValue(json)) await Console.Out.WriteAsync(JsonSerializer.Serialize(Report(left, right, differences, limit), RunSpec.JsonOptions) + "\n");
            else await Console.Out.WriteAsync(Table(differences));
            await Console.Error.WriteLineAsync(worst.Count == 0
                ? $"{Count(differences.Count)} tensors, none further apart than {Number(limit)}"
                : $"{Count(worst.Count)} of {Count(differences.Count)} tensors are further apart than {Number(limit)} or not comparable");
            return worst.Count == 0 ? ExitCode.Done : ExitCode.Different;
        });
        return command;
    }

    private static bool Exceeds(TensorDifference difference, double limit) => !difference.IsComparable || difference.MaximumAbsolute > limit;

    private static string Table(IEnumerable<TensorDifference> differences)
    {
        var table = new TextTable("tensor", "shape", "max absolute", "max relative", "");
        foreach (var difference in differences)
        {
            var note = difference switch
            {
                { First: null } => "missing in A",
                { Second: null } => "missing in B",
                { IsComparable: false } => $"{difference.Second.ShapeText} in B",
                _ => "",
            };
            table.Add(
                TextTable.Clean(difference.Name), (difference.First ?? difference.Second)!.ShapeText,
                difference.IsComparable ? Number(difference.MaximumAbsolute) : "-", difference.IsComparable ? Number(difference.MaximumRelative) : "-", note);
        }

        return table.ToString();
    }

    private static object Report(WeightFile left, WeightFile right, List<TensorDifference> differences, double limit) => new
    {
        A = left.Path,
        B = right.Path,
        Tolerance = limit,
        WithinTolerance = !differences.Exists(difference => Exceeds(difference, limit)),
        MaximumAbsolute = differences.Select(difference => difference.MaximumAbsolute).DefaultIfEmpty(0).Max(),
        MaximumRelative = differences.Select(difference => difference.MaximumRelative).DefaultIfEmpty(0).Max(),
        Tensors = differences.Select(difference => new
        {
            difference.Name,
            ShapeInA = difference.First?.Shape,
            ShapeInB = difference.Second?.Shape,
            difference.MaximumAbsolute,
            difference.MaximumRelative,
        }),
    };

    private static string Number(double value) => value.ToString("0.###e+0", CultureInfo.InvariantCulture) is "0e+0" ? "0" : value.ToString("0.###e+0", CultureInfo.InvariantCulture);

    private static string Count(int count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
