using System.CommandLine;
using System.Globalization;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm down</c>: stops the cluster that 'genslm up' started, also what is left of it.</summary>
internal static class DownCommand
{
    private static readonly TimeSpan GarnetGrace = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var command = new Command("down", """
            Example: genslm down

            Stops the cluster that 'genslm up' started, and the silos of this machine that joined it. Its runs go on from
            their last checkpoints at the next 'genslm up'.
            """);
        var grace = new Option<string?>("--grace") { HelpName = "SECONDS", Description = "how long silos may take to leave in order before they are killed [10]" };
        var forget = new Option<bool>("--forget") { Arity = ArgumentArity.Zero, Description = "also forget its runs; their output folders stay" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        foreach (var option in (Option[])[grace, forget, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, _) => await RunAsync(Seconds(parsed.GetValue(grace) ?? "10"), parsed.GetValue(forget)));
        return command;
    }

    private static TimeSpan Seconds(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds <= 3600
            ? TimeSpan.FromSeconds(seconds)
            : throw new UsageException($"grace is '{text}'; expected seconds from 0 to 3600.");

    private static async Task<int> RunAsync(TimeSpan grace, bool forget)
    {
        using var changing = StandingCluster.Lock();
        var cluster = StandingCluster.Find();
        if (cluster is null)
        {
            await Console.Error.WriteLineAsync("No cluster is up.");
        }
        else
        {
            var silos = cluster.LiveSilos.Select(silo => silo.Process).ToArray();
            int killed = await EndAsync(silos, grace);
            if (forget && cluster.Garnet is null) await RedisServer.ForgetAsync(cluster.Redis, cluster.Name);
            if (cluster.Garnet is { } garnet) await EndAsync([garnet], GarnetGrace);
            await Console.Error.WriteLineAsync($"stopped {silos.Length} silos{(killed == 0 ? "" : $", {killed} of them by force")}");
        }

        StandingCluster.Remove();
        if (forget && Directory.Exists(StandingCluster.DataFolder)) Directory.Delete(StandingCluster.DataFolder, recursive: true);
        return ExitCode.Done;
    }

    // How many had to be killed.
    private static async Task<int> EndAsync(KnownProcess[] processes, TimeSpan grace)
    {
        if (grace > TimeSpan.Zero) foreach (var process in processes) process.Terminate();
        using var deadline = new CancellationTokenSource(grace);
        var ended = await Task.WhenAll(processes.Select(process => process.EndsAsync(deadline.Token)));
        foreach (var process in processes) process.Kill();
        foreach (var process in processes) await process.EndsAsync(CancellationToken.None);
        return ended.Count(inTime => !inTime);
    }
}
