using System.CommandLine;
using System.Globalization;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm up</c>: starts a cluster on this machine that outlives the console.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var command = new Command("up", """
            Example: genslm up --silos 3

            Starts a cluster on this machine that outlives the console: Garnet, or the Redis server that GENSLM_REDIS names,
            and silos. What its runs have reached is kept from one 'up' to the next. 'genslm down' stops it.
            """);
        var silos = new Option<string?>("--silos") { HelpName = "N", Description = "how many silos [3]" };
        var devices = new Option<string?>("--devices") { HelpName = "LIST", Description = "devices each silo offers (cpu, cuda:0) [its part of the GPUs, or the CPU]" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        foreach (var option in (Option[])[silos, devices, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) => await RunAsync(Count(parsed.GetValue(silos) ?? "3"), parsed.GetValue(devices), cancellation));
        return command;
    }

    private static int Count(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
        ? count
        : throw new UsageException($"silos is '{text}'; expected a whole number, at least 1.");

    private static async Task<int> RunAsync(int count, string? devices, CancellationToken cancellation)
    {
        using var changing = StandingCluster.Lock();
        if (StandingCluster.Find() is { } there)
            throw new UsageException($"A cluster of {there.Silos.Length} silos is up already ({there.LiveSilos.Count()} alive); 'genslm silos' lists it, 'genslm silo' adds one, 'genslm down' stops it.");

        var cluster = await StartAsync(count, devices, cancellation);
        await Console.Error.WriteLineAsync($"{count} silos are up; Redis is at {cluster.Redis}, logs are in {Path.Combine(StandingCluster.Folder, "logs")}");
        await Console.Out.WriteLineAsync($"export GENSLM_GATEWAY={string.Join(',', cluster.Silos.Select(silo => silo.Ports.GatewayEndPoint))}");
        return ExitCode.Done;
    }

    // Until all are ready, all end with this console, whichever way it ends; and before the first is let go, the file knows them all.
    private static async Task<StandingCluster> StartAsync(int count, string? devices, CancellationToken cancellation)
    {
        int cursor = SiloPorts.Start;
        RedisServer? redis = null;
        List<LocalSilo> silos = [];
        try
        {
            redis = await RedisServer.OpenAsync(SiloPorts.Next(ref cursor), StandingCluster.DataFolder, Log("redis"), cancellation);
            var places = Enumerable.Range(0, count)
                .Select(i => new SiloPlace($"silo-{i}", SiloPorts.Free(ref cursor), redis.Address, ClusterConnection.DefaultCluster, devices));
            await LocalSilo.StartAllAsync([.. places], silos, Log, Console.Error.WriteLine, cancellation);
            var cluster = new StandingCluster(
                ClusterConnection.DefaultCluster, redis.Address, redis.Process is null ? null : KnownProcess.Of(redis.Process),
                [.. silos.Select(silo => new StandingSilo(silo.Name, KnownProcess.Of(silo.Process), silo.Ports))]);
            cluster.Save();
            redis.Process?.Stay();
            foreach (var silo in silos) silo.Process.Stay();
            return cluster;
        }
        catch
        {
            foreach (var silo in silos) silo.Dispose();
            if (redis is not null) await redis.DisposeAsync();
            StandingCluster.Remove();
            throw;
        }
    }

    private static string Log(string process) => Path.Combine(StandingCluster.Folder, "logs", $"{process}.log");
}
