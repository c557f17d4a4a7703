using System.CommandLine;

namespace GenSlmOrleans.Client.Commands.Weights;

/// <summary><c>genslm weights</c>: looks into weight files, rewrites and compares them; no cluster takes part.</summary>
internal static class WeightsCommand
{
    public static Command Create()
    {
        var command = new Command("weights", """
            Example: genslm weights inspect runs/influenza/best_model_state_dict.pth

            Reads PyTorch files (.pt, .pth, .ckpt, .bin; before 1.6 too), safetensors, single or sharded, and Hugging Face
            folders. Nothing in a file is ever executed.
            """);
        foreach (var inner in (Command[])[InspectCommand.Create(), ConvertCommand.Create(), DiffCommand.Create()]) command.Subcommands.Add(inner);
        return command;
    }
}
