using System.CommandLine;
using GenSlmOrleans.Client.Commands.Weights;

namespace GenSlmOrleans.Client.Commands;

/// <summary>The console's commands, in the order in which help lists them.</summary>
internal static class AllCommands
{
    public static Command[] Create() =>
    [
        TrainCommand.Create(),
        ResumeCommand.Create(),
        VerifyCommand.Create(),
        ChaosCommand.Create(),
        ConfigCommand.Create(),
        DataCommand.Create(),
        WeightsCommand.Create(),
        UpCommand.Create(),
        DownCommand.Create(),
        SiloCommand.Create(),
        SilosCommand.Create(),
        SubmitCommand.Create(),
        RunsCommand.Create(),
        DescribeCommand.Create(),
        WatchCommand.Create(),
        WaitCommand.Create(),
        PauseCommand.Create(),
        CancelCommand.Create(),
        ExportCommand.Create(),
    ];
}
