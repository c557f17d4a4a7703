using System.Diagnostics;
using GenSlmOrleans.Client;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Bench;

/// <summary>
/// A cluster that the shipped console starts, changes and ends: up, silo, silo drain, kill -9, down. It has a cache folder of
/// its own, so that it is not the one its user may have up.
/// </summary>
internal sealed class ConsoleCluster : IAsyncDisposable
{
    private readonly List<Process> _silos = [];
    private readonly List<Task> _ends = [];

    /// <param name="folder">Of its processes' logs and state; it must not have a cluster yet.</param>
    public ConsoleCluster(string folder) =>
        // This process reads the cluster's file as a console does.
        OwnCache.Use(folder);

    /// <summary>Starts Garnet and the first silo, with one device.</summary>
    public static Task UpAsync(CancellationToken cancellation) => GenSlmConsole.RunAsync(cancellation, "up", "--silos", "1", "--devices", "cpu");

    /// <summary>Submits a run; its name.</summary>
    public static async Task<string> SubmitAsync(ElasticWorkload workload, string output, CancellationToken cancellation) =>
        (await GenSlmConsole.RunAsync(cancellation, ["submit", .. workload.Arguments(output), "--detach"])).Trim();

    /// <summary>A client of the cluster.</summary>
    public static Task<ClusterConnection> ConnectAsync(CancellationToken cancellation) => GatewayOption.ConnectAsync(null, cancellation);

    /// <summary>Does what a phase begins with, and does not wait for its consequences.</summary>
    public void Begin(ElasticPhase phase, CancellationToken cancellation)
    {
        switch (phase.Act)
        {
            case ElasticAct.Join:
                Join(phase.Silo);
                break;
            case ElasticAct.Leave:
                _ends.Add(GenSlmConsole.RunAsync(cancellation, "silo", "drain", phase.Silo));
                break;
            case ElasticAct.Kill:
                Find(phase.Silo).Process.Kill();
                break;
        }
    }

    /// <summary>Waits for the consoles that were to make silos leave.</summary>
    /// <exception cref="InvalidOperationException">One could not.</exception>
    public Task LeftAsync() => Task.WhenAll(_ends);

    // Its console stays in the foreground as long as the silo lives.
    private void Join(string name)
    {
        var process = GenSlmConsole.Start("silo", "--name", name, "--devices", "cpu");
        _silos.Add(process);
        var log = new StreamWriter(Path.Combine(CacheFolder.Path, $"{name}.log")) { AutoFlush = true };
        process.OutputDataReceived += (_, line) => Write(line.Data);
        process.ErrorDataReceived += (_, line) => Write(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        void Write(string? line)
        {
            lock (log) log.WriteLine(line);
        }
    }

    private static StandingSilo Find(string name) =>
        StandingCluster.Find()?.LiveSilos.FirstOrDefault(silo => silo.Name == name)
        ?? throw new InvalidOperationException($"The cluster has no live silo {name}; its log is in {CacheFolder.Path}.");

    /// <summary>Ends all its processes.</summary>
    public async ValueTask DisposeAsync()
    {
        await GenSlmConsole.RunAsync(CancellationToken.None, "down", "--grace", "0", "--forget");
        foreach (var silo in _silos)
        {
            // One that had not joined yet is not known to 'down'; it ends with its console.
            silo.Kill();
            await silo.WaitForExitAsync();
            silo.Dispose();
        }
    }
}
