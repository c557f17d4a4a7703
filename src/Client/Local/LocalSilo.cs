using System.Globalization;
using System.Net;
using GenSlmOrleans.Processes;

namespace GenSlmOrleans.Client.Local;

/// <summary>A silo process of this console's own, and where it listens.</summary>
internal sealed class LocalSilo : IDisposable
{
    private static readonly TimeSpan UsualStart = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private LocalSilo(SiloPlace place, ChildProcess process) => (Name, Ports, Host, Process) = (place.Name, place.Ports, place.Host, process);

    public string Name { get; }

    public SiloPorts Ports { get; }

    /// <summary>Where this machine reaches it.</summary>
    public IPAddress Host { get; }

    /// <summary>Where clients on this machine connect to.</summary>
    public IPEndPoint GatewayEndPoint => new(Host, Ports.Gateway);

    public ChildProcess Process { get; }

    /// <summary>Completes when the process has ended.</summary>
    public Task Ended => Process.Ended;

    /// <summary>What to say about a silo that ended by itself.</summary>
    public string Obituary() => Process.Obituary();

    /// <summary>Starts a silo; <see cref="ReadyAsync"/> completes when it has joined.</summary>
    /// <param name="place">Its name, where it listens and what it joins.</param>
    /// <param name="silosHere">How many silos start on this machine, this one included; null: it joins others.</param>
    /// <param name="logPath">Where its log goes; null: to this console.</param>
    /// <param name="faultPoints">The folder in which it is told where to wait for a fault; null: nowhere.</param>
    /// <param name="startsAside">Whether those that it joins are at work on this machine, and keep their cores while it starts.</param>
    /// <param name="prefix">A command that becomes the silo, elsewhere; none: it is started here.</param>
    public static LocalSilo Start(
        SiloPlace place, int? silosHere, string? logPath, string? faultPoints = null, bool startsAside = false, params IReadOnlyList<string> prefix)
    {
        string[] arguments =
        [
            "--ends-with-parent", "true", "--silos-here", (silosHere ?? 1).ToString(CultureInfo.InvariantCulture), "--starts-aside", startsAside ? "on" : "off",
        ];
        return new(place, ChildProcess.Start(SiloProgram(), [.. arguments, .. place.Arguments()], Environment(sharesCores: silosHere != 1, faultPoints), logPath, prefix));
    }

    /// <summary>
    /// Starts silos, the first before the others: it clears the table of members that an earlier start has left there, and
    /// silos that join at the same moment hinder each other for longer than it takes. All are among the started, also when it fails.
    /// </summary>
    public static async Task StartAllAsync(IReadOnlyList<SiloPlace> places, ICollection<LocalSilo> started, Func<string, string> logPath, Action<string> tell, CancellationToken cancellation)
    {
        foreach (var place in places)
        {
            var silo = Start(place, places.Count, logPath(place.Name));
            started.Add(silo);
            if (started.Count == 1) await silo.ReadyAsync(tell, cancellation);
        }

        await Task.WhenAll(started.Select(silo => silo.ReadyAsync(tell, cancellation)));
    }

    /// <summary>Completes when the silo has joined its cluster and takes calls, however long that takes: it gives up by ending.</summary>
    /// <param name="tell">Shows a line when that takes long.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ClusterException">It ended; the message shows the end of its log.</exception>
    public async Task ReadyAsync(Action<string> tell, CancellationToken cancellation)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        long began = TimeProvider.System.GetTimestamp();
        bool told = false;
        while (!await IsReadyAsync(http, cancellation))
        {
            if (Ended.IsCompleted) throw new ClusterException($"A silo did not start: {Obituary()}");
            if (!told && TimeProvider.System.GetElapsedTime(began) > UsualStart)
            {
                tell($"waiting for {Name}, which is running and has not joined yet{(Process.LogPath is { } log ? $"; its log is {log}" : "")}");
                told = true;
            }

            await Task.WhenAny(Ended, Task.Delay(PollInterval, cancellation));
        }
    }

    private async Task<bool> IsReadyAsync(HttpClient http, CancellationToken cancellation)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://{Host}:{Ports.Http}/health/ready"), cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            // Not listening yet, or too busy to answer.
            return false;
        }
    }

    /// <summary>Ends the process at once.</summary>
    public void Dispose() => Process.Dispose();

    /// <summary>What a silo's environment adds or, with null, takes away: where it is comes from its arguments alone.</summary>
    private static Dictionary<string, string?> Environment(bool sharesCores, string? faultPoints)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["GENSLM_FAULT_POINTS"] = faultPoints, [CompilerThread.TimeoutSetting] = CompilerThread.NoTimeout };
        foreach (var name in (string[])["REDIS", "CLUSTER", "PRIMARY", "ADDRESS"]) environment[$"GENSLM_{name}"] = null;
        // OpenMP's threads spin while they wait, which takes the core from a neighbour that has work for it.
        if (sharesCores) environment["OMP_WAIT_POLICY"] = "PASSIVE";
        return environment;
    }

    /// <summary>The silo's program: named by GENSLM_SILO, in the folder "silo" of a release, or beside ours in the build output.</summary>
    public static string SiloProgram()
    {
        const string Dll = "GenSlmOrleans.Silo.dll";
        var here = AppContext.BaseDirectory;
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(here));
        string?[] candidates =
        [
            System.Environment.GetEnvironmentVariable("GENSLM_SILO"),
            Path.Combine(here, "silo", Dll),
            Path.GetFullPath(Path.Combine(here, "..", "..", "Silo", configuration, Dll)),
        ];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new ClusterException($"The silo's program was not found; expected {candidates[^1]}, or its path in GENSLM_SILO. './genslm' builds it.");
    }
}

/// <summary>A silo's name, where it listens and what it joins.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ports">Where it listens.</param>
/// <param name="Redis">Where its cluster keeps membership and state; null: in memory, a cluster of one.</param>
/// <param name="Cluster">Which cluster there.</param>
/// <param name="Devices">Devices to offer, separated by commas; null: GPUs that are free, or the CPU.</param>
/// <param name="Address">Where other silos reach it; null: on this machine only.</param>
internal sealed record SiloPlace(string Name, SiloPorts Ports, string? Redis, string Cluster, string? Devices, string? Address = null)
{
    /// <summary>Where this machine reaches it: one that others reach listens everywhere.</summary>
    public IPAddress Host => Address is { } address && IPAddress.TryParse(address, out var reached) ? reached : IPAddress.Loopback;

    public IEnumerable<string> Arguments()
    {
        List<(string Option, string? Value)> options =
        [
            ("--name", Name), ("--cache", CacheFolder.Path), ("--cluster", Cluster), ("--redis", Redis), ("--devices", Devices), ("--address", Address),
            ("--silo-port", Text(Ports.Silo)), ("--gateway-port", Text(Ports.Gateway)), ("--http-port", Text(Ports.Http)),
        ];
        return options.Where(option => option.Value is not null).SelectMany(option => (string[])[option.Option, option.Value!]);
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
