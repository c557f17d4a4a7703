using System.CommandLine;
using System.Globalization;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Commands.Weights;

/// <summary><c>genslm weights convert IN OUT</c>: rewrites weights in another format, element type or naming.</summary>
internal static class ConvertCommand
{
    private static readonly (string Unit, long Bytes)[] s_units =
        [("KIB", 1L << 10), ("MIB", 1L << 20), ("GIB", 1L << 30), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("", 1)];

    public static Command Create()
    {
        var command = new Command("convert", """
            Example: genslm weights convert runs/influenza/best_model_state_dict.pth influenza-hf --dtype bf16

            The output's name decides what it is: .pth or .pt a PyTorch file, .safetensors one such file, anything else a Hugging
            Face folder (config.json and model.safetensors, in shards when it is large).
            """);
        var input = new Argument<string>("IN") { Description = "a weight file, an index of sharded ones, or a Hugging Face folder" };
        var output = new Argument<string>("OUT") { Description = "a name that is free" };
        var type = new Option<string?>("--dtype") { HelpName = "fp32|fp16|bf16", Description = "what the parameters are stored in; default: as in IN" };
        var prefix = new Option<string?>("--key-prefix") { HelpName = "TEXT", Description = "in front of Hugging Face's names; default: as in IN, none in a folder" };
        var shard = new Option<string?>("--max-shard-size") { HelpName = "SIZE", Description = "largest file of a folder, such as 500MB or 2GiB [5GB]" };
        var model = new Option<string?>("--model") { HelpName = "NAME|PATH", Description = "preset or config.json; default: the config.json beside IN, else the preset with its sizes" };
        var rotary = new Option<bool>("--rotary-from-checkpoint") { Arity = ArgumentArity.Zero, Description = "keep the stored rotary frequencies; other buffers are left out" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(input);
        command.Arguments.Add(output);
        foreach (var option in (Option[])[type, prefix, shard, model, rotary, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, _) =>
        {
            var options = new ConversionOptions
            {
                ElementType = parsed.GetValue(type) is { } word ? ElementType(word) : null,
                KeyPrefix = parsed.GetValue(prefix),
                Config = parsed.GetValue(model) is { } name ? SubmissionCheck.Model(name) : null,
                KeepRotaryFrequencies = parsed.GetValue(rotary),
            };
            var target = parsed.GetValue(output)!;
            if (parsed.GetValue(shard) is { } size)
            {
                if (!WeightConversion.IsFolder(target)) throw new UsageException($"--max-shard-size is {size}, but {target} is one file; a folder's name is expected as OUT.");
                options = options with { LargestShard = Size(size) };
            }

            var report = Convert(parsed.GetValue(input)!, target, options);
            var leftOut = report.LeftOut.IsEmpty ? "" : string.Create(CultureInfo.InvariantCulture, $"; {report.LeftOut.Length} buffers left out, such as {report.LeftOut[0]}");
            await Console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{target}: {report.Format}, {report.Parameters:N0} parameters{leftOut}"));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>A size such as 500MB (10^6 bytes) or 2GiB (2^30), as transformers reads it.</summary>
    internal static long Size(string text)
    {
        var upper = text.Trim().ToUpperInvariant();
        var (unit, bytes) = s_units.First(known => upper.EndsWith(known.Unit, StringComparison.Ordinal));
        return double.TryParse(upper[..^unit.Length].TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number * bytes is >= 1 and < 1e18
            ? (long)(number * bytes)
            : throw new UsageException($"--max-shard-size is '{text}'; expected a size such as 500MB or 2GiB.");
    }

    private static TensorElementType ElementType(string word) => TensorElementText.ParseWritable(word)
        ?? throw new UsageException($"--dtype is '{word}'; expected one of {string.Join(", ", TensorElementText.Writable)}. Did you mean {NearestName.Of(word, TensorElementText.Writable)}?");

    private static ConversionReport Convert(string input, string output, ConversionOptions options)
    {
        try
        {
            return WeightConversion.Run(input, output, options);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{output} cannot be written: {error.Message}");
        }
    }
}
