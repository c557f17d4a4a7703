using System.Text.Json;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A run that ended every silo, and was stored: the cluster comes up with it.</summary>
public sealed class PoisonRunTests
{
    [Fact]
    public async Task A_stored_run_that_would_end_every_silo_no_longer_stops_up()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1", "--devices", "cpu");
        await StoreAsync(cluster, "genslm/state/trainingrun/poison/run", "run-poison");
        await StoreAsync(cluster, "genslm/state/runqueue/cluster/queue", "queue");
        Assert.Equal("+OK", await cluster.RedisAsync("SET stored yes"));
        foreach (var process in cluster.Processes()) UpCluster.Kill(process);
        await cluster.ExpectProcessesAsync(count => count == 0, "no process");

        await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        Assert.Equal("yes", await cluster.RedisAsync("GET stored"));
        int[] before = [cluster.ProcessOf("silo-0"), cluster.ProcessOf("silo-1")];
        await cluster.SucceedAsync("wait", "poison", "--for", "failed", "--timeout", "1m");
        var parked = JsonDocument.Parse(await cluster.SucceedAsync("describe", "poison", "-o", "json")).RootElement;
        Assert.Contains("threads is 1000000000; it must be at most 1024.", parked.GetRawText());

        // Of this version none gets as far as the store.
        var refused = await cluster.RunAsync("submit", GenSlmConsole.Sample, "--threads", "1000000000", "--name", "another", "--output", cluster.File("another"), "--detach");
        Assert.Equal((2, "threads is 1000000000; it must be at most 1024."), (refused.ExitCode, refused.Errors.Trim()));
        await cluster.SucceedAsync("submit", GenSlmConsole.Sample, "--threads", "1", "--max-steps", "1", "--seq-length", "50", "--accumulation-steps", "1", "--name", "sound", "--output", cluster.File("sound"), "--detach");
        await cluster.SucceedAsync("wait", "sound", "--for", "completed", "--timeout", "2m");
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        Assert.Empty(before.Except(cluster.Processes()));
    }

    private static async Task StoreAsync(UpCluster cluster, string key, string fixture)
    {
        // With sequences that are there: it is the threads that would end a silo.
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "fixtures", "state", fixture + ".json")).Trim()
            .Replace("/data/influenza.fasta", GenSlmConsole.Sample).Replace("/runs/", cluster.File("runs") + "/");
        await cluster.RedisAsync("DEL", key);
        Assert.Equal(":2", await cluster.RedisAsync("HSET", key, "etag", "1", "data", text));
    }
}
