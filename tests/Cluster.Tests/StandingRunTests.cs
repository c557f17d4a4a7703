using System.Text.Json;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A run of a cluster that stays up, spoken to by consoles that come and go, through everything that may befall it.</summary>
public sealed class StandingRunTests
{
    private static readonly string[] Settings =
        ["--shards", "4", "--threads", "1", "--accumulation-steps", "2", "--learning-rate", "3e-3", "--seq-length", "200", "--epochs", "6", "--val-every", "4"];

    [Fact]
    public async Task A_run_waits_for_devices_is_paused_gains_a_silo_loses_the_whole_cluster_and_ends_in_the_same_bits()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1", "--devices", "cpu");
        await cluster.SucceedAsync(["submit", GenSlmConsole.Sample, .. Settings, "--name", "flu", "--output", cluster.File("run"), "--min-devices", "2", "--detach"]);
        await cluster.SucceedAsync("wait", "flu", "--for", "waiting");
        Assert.Contains("1 of the 2 that it needs are alive", await cluster.SucceedAsync("runs"));

        using var joined = cluster.Start("silo", "--devices", "cpu");
        await cluster.SucceedAsync("watch", "flu", "--until-step", "3");
        await cluster.SucceedAsync("pause", "flu");
        await cluster.SucceedAsync("wait", "flu", "--for", "paused");
        // The whole run takes no longer than a silo may need to start on a busy machine.
        using var third = cluster.Start("silo", "--devices", "cpu", "--name", "third");
        await cluster.ExpectSilosAsync("third active, silo-0 active, silo-1 active");
        await cluster.SucceedAsync("resume", "flu", "--detach");

        using var watch = cluster.Start("watch", "flu");
        await watch.LineAsync("third cpu: shard");

        foreach (var process in cluster.Processes()) UpCluster.Kill(process);
        await cluster.ExpectProcessesAsync(count => count == 0, "no process");
        await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        await cluster.SucceedAsync("wait", "flu", "--for", "completed", "--timeout", "3m");

        var end = JsonDocument.Parse(await cluster.SucceedAsync("describe", "flu", "-o", "json")).RootElement;
        var undisturbed = await GenSlmConsole.TrainAsync([GenSlmConsole.Sample, .. Settings, "--output", cluster.File("undisturbed")]);
        Assert.Equal(undisturbed.GetProperty("weightsSha256").GetString(), end.GetProperty("weightsSha256").GetString());
        await cluster.SucceedAsync("verify", cluster.File("run"));
    }
}
