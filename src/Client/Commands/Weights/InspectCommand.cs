using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Commands.Weights;

/// <summary><c>genslm weights inspect FILE</c>: what a weight file holds, without reading the weights.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var command = new Command("inspect", """
            Example: genslm weights inspect patric_25m_epoch01-val_loss_0.57_bias_removed.pt

            Shows format, element type, parameters, architecture and every tensor of a weight file.
            """);
        var file = new Argument<string>("FILE") { Description = "a weight file, an index of sharded ones, or a Hugging Face folder" };
        var json = new Option<bool>("--json") { Arity = ArgumentArity.Zero, Description = "print one JSON object" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(file);
        foreach (var option in (Option[])[json, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, _) =>
        {
            using var weights = WeightFile.Open(parsed.GetValue(file)!);
            var found = WeightContents.Of(weights);
            await Console.Out.WriteAsync(parsed.GetValue(json) ? JsonSerializer.Serialize(Report(weights, found), RunSpec.JsonOptions) + "\n" : Text(weights, found));
            return ExitCode.Done;
        });
        return command;
    }

    private static string Text(WeightFile weights, WeightContents found)
    {
        var lines = new List<(string Name, string Value)>
        {
            ("file", weights.Path),
            ("format", weights.FormatName),
            ("element type", found.ElementTypes),
            ("parameters", string.Create(CultureInfo.InvariantCulture, $"{found.ParameterCount:N0} in {found.Parameters.Length:N0} tensors")),
        };
        if (found.Buffers.Length > 0)
            lines.Add(("buffers", string.Create(CultureInfo.InvariantCulture, $"{found.Buffers.Length:N0}, ignored when the file is read as a model: {string.Join(", ", found.Buffers.Take(3))}{(found.Buffers.Length > 3 ? ", …" : "")}")));
        if (found.Architecture is { } architecture)
        {
            lines.Add(("names", architecture.Prefix.Length == 0 ? "Hugging Face's" : $"Hugging Face's behind '{architecture.Prefix}'"));
            lines.Add(("architecture", architecture.ToString()));
            lines.Add(("preset", architecture.PresetName ?? "none with these sizes"));
        }

        if (found.Problem.Length > 0) lines.Add(("as a model", found.Problem));
        if (weights.Metadata.Count > 0) lines.Add(("metadata", string.Join(", ", weights.Metadata.Take(8).Select(pair => $"{TextTable.Clean(pair.Key)} {TextTable.Clean(pair.Value)}"))));

        var table = new TextTable("tensor", "type", "shape", "elements");
        foreach (var tensor in weights.Tensors)
            table.Add(TextTable.Clean(tensor.Name), tensor.ElementType.Word(), tensor.ShapeText, tensor.ElementCount.ToString("N0", CultureInfo.InvariantCulture));
        return string.Concat(lines.Select(line => $"{line.Name,-14}{line.Value}\n")) + "\n" + table;
    }

    private static object Report(WeightFile weights, WeightContents found) => new
    {
        File = weights.Path,
        Format = weights.FormatName,
        ElementType = found.ElementTypes,
        Parameters = found.ParameterCount,
        found.Architecture?.Prefix,
        Architecture = found.Architecture is not { } architecture ? null : new
        {
            architecture.HiddenSize,
            architecture.LayerCount,
            architecture.IntermediateSize,
            architecture.VocabularySize,
        },
        Preset = found.Architecture?.PresetName,
        Problem = found.Problem.Length == 0 ? null : found.Problem,
        found.Buffers,
        weights.Metadata,
        Tensors = weights.Tensors.Select(tensor => new { tensor.Name, Type = tensor.ElementType.Word(), tensor.Shape, Elements = tensor.ElementCount }),
    };
}
