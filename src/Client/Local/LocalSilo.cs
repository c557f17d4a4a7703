using System.Globalization;
using System.Net;

namespace GenSlmOrleans.Client.Local;

/// <summary>A silo process of this console's own, and where it listens.</summary>
internal sealed class LocalSilo : IDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private LocalSilo(string name, SiloPorts ports, ChildProcess process) => (Name, Ports, Process) = (name, ports, process);

    public string Name { get; }

    public SiloPorts Ports { get; }

    public ChildProcess Process { get; }

    /// <summary>Completes when the process has ended.</summary>
    public Task Ended => Process.Ended;

    /// <summary>What to say about a silo that ended by itself.</summary>
    public string Obituary() => Process.Obituary();

    /// <summary>Starts a silo; <see cref="ReadyAsync"/> completes when it has joined.</summary>
    /// <param name="place">Its name, where it listens and what it joins.</param>
    /// <param name="sharesCores">Other silos compute on the same cores.</param>
    /// <param name="logPath">Where its log goes; null: to this console.</param>
    /// <param name="faultPoints">The folder in which it is told where to wait for a fault; null: nowhere.</param>
    public static LocalSilo Start(SiloPlace place, bool sharesCores, string? logPath, string? faultPoints = null) => new(place.Name, place.Ports, ChildProcess.Start(
        SiloProgram(), ["--ends-with-parent", "true", .. place.Arguments()], Environment(sharesCores, faultPoints), logPath));

    /// <summary>
    /// Starts silos, the first before the others: it clears the table of members that an earlier start has left there, and
    /// silos that join at the same moment hinder each other for longer than it takes. All are among the started, also when it fails.
    /// </summary>
    public static async Task StartAllAsync(IReadOnlyList<SiloPlace> places, ICollection<LocalSilo> started, Func<string, string> logPath, CancellationToken cancellation)
    {
        foreach (var place in places)
        {
            var silo = Start(place, sharesCores: places.Count > 1, logPath(place.Name));
            started.Add(silo);
            if (started.Count == 1) await silo.ReadyAsync(cancellation);
        }

        await Task.WhenAll(started.Select(silo => silo.ReadyAsync(cancellation)));
    }

    /// <summary>Completes when the silo has joined its cluster and takes calls.</summary>
    /// <exception cref="ClusterException">It ended or was not ready in time; the message shows the end of its log.</exception>
    public async Task ReadyAsync(CancellationToken cancellation)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(StartTimeout);
        while (true)
        {
            if (Ended.IsCompleted) throw new ClusterException($"A silo did not start: {Obituary()}");
            try
            {
                using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{Ports.Http}/health/ready"), deadline.Token);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                if (deadline.IsCancellationRequested) throw new ClusterException($"A silo was not ready within {StartTimeout.TotalSeconds:F0} s; its log is {Process.LogPath}");
            }

            await Task.WhenAny(Ended, Task.Delay(PollInterval, cancellation));
        }
    }

    /// <summary>Ends the process at once.</summary>
    public void Dispose() => Process.Dispose();

    /// <summary>What a silo's environment adds or, with null, takes away: where it is comes from its arguments alone.</summary>
    private static Dictionary<string, string?> Environment(bool sharesCores, string? faultPoints)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["GENSLM_FAULT_POINTS"] = faultPoints };
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
/// <param name="Devices">Devices to offer, separated by commas; null: every GPU, or the CPU.</param>
/// <param name="Address">Where other silos reach it; null: on this machine only.</param>
internal sealed record SiloPlace(string Name, SiloPorts Ports, string? Redis, string Cluster, string? Devices, string? Address = null)
{
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
