using System.CommandLine;
using System.Text;
using GenSlmOrleans.Client.GenSlm;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm config</c>: run files out of GenSLM's YAML, and the schema that editors check them with.</summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        var command = new Command("config", """
            Example: genslm config import samples/genslm-finetune.yaml -o run.yaml

            Makes run files of GenSLM's training YAML, and prints the schema of run files.
            """);
        command.Subcommands.Add(Import());
        command.Subcommands.Add(Schema());
        return command;
    }

    private static Command Import()
    {
        var command = new Command("import", """
            Example: genslm config import samples/genslm-finetune.yaml -o run.yaml

            Turns the YAML that GenSLM's training takes into a run file for 'genslm train --config', and says on standard
            error what changed its meaning and what could not be carried over.
            """);
        var source = new Argument<string>("GENSLM.yaml") { Description = "the YAML that GenSLM's training takes with -c" };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "write the run file there; default: standard output" };
        var gpus = new Option<string?>("--gpus-per-node") { HelpName = "N", Description = "GPUs on each of GenSLM's num_nodes, which its YAML does not say; shards is num_nodes times N [1]" };
        var force = new Option<bool>("--force") { Arity = ArgumentArity.Zero, Description = "replace the file that --output names" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(source);
        foreach (var option in (Option[])[output, gpus, force, verbose]) command.Options.Add(option);

        command.SetAction(async (parsed, cancellation) =>
        {
            var file = parsed.GetValue(output);
            int? perNode = parsed.GetValue(gpus) is { } number ? RunOption.ParseNumber<int>("gpus-per-node", number) : null;
            if (perNode < 1) throw new UsageException($"gpus-per-node is {perNode}; it must be at least 1.");
            if (file is not null) CheckFree(file, parsed.GetValue(source)!, parsed.GetValue(force));
            var import = GenSlmImport.Read(parsed.GetValue(source)!, perNode);
            if (file is null) await Console.Out.WriteAsync(import.RunFileText(Environment.CurrentDirectory));
            else Write(file, import);
            await Console.Error.WriteAsync(ImportReport.Text(import));
            if (file is not null) await Console.Error.WriteLineAsync($"Written to {file}. Train with: genslm train --config {file}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Schema()
    {
        var command = new Command("schema", """
            Example: genslm config schema > run.schema.json

            Prints the JSON schema of run files (draft 2020-12).
            """);
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Options.Add(verbose);
        command.SetAction(async (_, _) =>
        {
            await Console.Out.WriteAsync(RunFileSchema.Text());
            return ExitCode.Done;
        });
        return command;
    }

    private static void CheckFree(string file, string source, bool force)
    {
        if (Path.GetFullPath(file) == Path.GetFullPath(source)) throw new UsageException($"The output {file} is the file that is imported; choose another.");
        if (Directory.Exists(file)) throw new UsageException($"The output {file} is a folder; expected the name of a file, such as {Path.Combine(file, "run.yaml")}.");
        if (File.Exists(file) && !force) throw new UsageException($"The output {file} exists; choose another, or replace it with --force.");
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        if (!Directory.Exists(folder)) throw new UsageException($"The output {file} cannot be written: there is no folder {folder}.");
    }

    private static void Write(string file, ImportedConfig import)
    {
        var text = import.RunFileText(Path.GetDirectoryName(Path.GetFullPath(file))!);
        try
        {
            AtomicFile.Write(file, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"The output {file} cannot be written: {exception.Message}");
        }
    }
}
