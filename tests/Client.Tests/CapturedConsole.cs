using GenSlmOrleans.Client.Commands;

namespace GenSlmOrleans.Client.Tests;

/// <summary>Runs the console in this process and keeps what it says.</summary>
internal static class CapturedConsole
{
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var (output, errors) = (Console.Out, Console.Error);
        using var outputText = new StringWriter();
        using var errorText = new StringWriter();
        try
        {
            Console.SetOut(outputText);
            Console.SetError(errorText);
            int exitCode = await ConsoleApplication.RunAsync(arguments, [TrainCommand.Create(), ResumeCommand.Create(), DataCommand.Create()]);
            return (exitCode, outputText.ToString(), errorText.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
        }
    }
}
