using System.CommandLine;
using System.Runtime.InteropServices;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm silo</c>: one more silo, in the foreground, on the cluster that is up or on another one's Redis.</summary>
internal static class SiloCommand
{
    public static Command Create()
    {
        var command = new Command("silo", """
            Example: genslm silo --join 127.0.0.1:6379 --name worker-7

            Adds a silo of this machine to a cluster, until Ctrl-C: the first lets it hand over what it holds and leave, the
            second ends it at once. 'genslm silo drain NAME' makes any silo leave.
            """);
        var join = new Option<string?>("--join") { HelpName = "HOST:PORT", Description = "the cluster's Redis [that of 'genslm up', or GENSLM_REDIS]" };
        var name = new Option<string?>("--name") { HelpName = "NAME", Description = "the silo's name [silo-N, or the machine's and the process id]" };
        var devices = new Option<string?>("--devices") { HelpName = "LIST", Description = "devices it offers (cpu, cuda:0,cuda:1) [every GPU that no other silo of the machine offers, or the CPU]" };
        var address = new Option<string?>("--address") { HelpName = "IP", Description = "where the other silos reach it [127.0.0.1: silos of this machine]" };
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        foreach (var option in (Option[])[join, name, devices, address, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, _) => await RunAsync(parsed.GetValue(join), parsed.GetValue(name), parsed.GetValue(devices), parsed.GetValue(address)));
        command.Subcommands.Add(DrainCommand.Create());
        return command;
    }

    private static async Task<int> RunAsync(string? join, string? name, string? devices, string? address)
    {
        var cluster = StandingCluster.Find();
        var redis = join ?? cluster?.Redis ?? RedisServer.OfUser
            ?? throw new UsageException("There is no cluster to join: 'genslm up' starts one, --join HOST:PORT names another one's Redis.");
        await RedisServer.PingAsync(redis, "the cluster's");
        bool joinsStanding = cluster?.Redis == redis;
        int cursor = SiloPorts.Start;
        var place = new SiloPlace(name ?? Name(joinsStanding ? cluster : null), SiloPorts.Free(ref cursor), redis, ClusterConnection.DefaultCluster, devices, address);
        if (joinsStanding && cluster!.LiveSilos.Any(silo => silo.Name == place.Name))
            throw new UsageException($"The cluster has a silo {place.Name} already; choose another --name.");

        using var silo = LocalSilo.Start(place, joinsStanding ? null : 1, logPath: null, startsAside: joinsStanding);
        if (joinsStanding) Register(silo);
        int signals = 0;
        void Leave(PosixSignalContext context)
        {
            context.Cancel = true;
            if (Interlocked.Increment(ref signals) == 1) KnownProcess.Of(silo.Process).Terminate();
            else silo.Process.Kill();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Leave);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Leave);
        await silo.Ended;
        return silo.Process.ExitCode;
    }

    // So that 'genslm down' stops it with the others.
    private static void Register(LocalSilo silo)
    {
        using var changing = StandingCluster.Lock();
        if (StandingCluster.Find() is not { } cluster) return;
        (cluster with { Silos = [.. cluster.LiveSilos, new StandingSilo(silo.Name, KnownProcess.Of(silo.Process), silo.Ports)] }).Save();
    }

    private static string Name(StandingCluster? cluster)
    {
        if (cluster is null) return $"{Environment.MachineName}-{Environment.ProcessId}";
        var taken = cluster.LiveSilos.Select(silo => silo.Name).ToHashSet(StringComparer.Ordinal);
        return Enumerable.Range(0, int.MaxValue).Select(number => $"silo-{number}").First(candidate => !taken.Contains(candidate));
    }
}
