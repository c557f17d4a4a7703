using System.Diagnostics;
using System.Globalization;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A local cluster that outlives the console: up, join, drain, kill, down.</summary>
public sealed class StandingClusterTests
{
    // Far above the half second that it takes on an idle machine; far below what probes with their defaults would take.
    private static readonly TimeSpan NoticedWithin = TimeSpan.FromSeconds(15);

    [Fact]
    public async Task A_cluster_outlives_its_console_and_down_leaves_nothing_of_it()
    {
        await using var cluster = new UpCluster();
        var up = await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        Assert.Matches(@"^export GENSLM_GATEWAY=127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\n$", up);
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        var table = (await cluster.SucceedAsync("silos")).Split('\n');
        Assert.Matches("^NAME +STATE +ADDRESS +DEVICES$", table[0]);
        Assert.Matches(@"^silo-0 +active +127\.0\.0\.1:\d+ +cpu$", table[1]);

        // By its gateway, and by the second where the first is nobody's.
        var gateway = up.Trim()["export GENSLM_GATEWAY=".Length..].Split(',')[1];
        Assert.Equal(string.Join('\n', table), await cluster.SucceedAsync("silos", "--gateway", $"127.0.0.1:1,{gateway}"));

        var again = await cluster.RunAsync("up");
        Assert.Equal((2, ""), (again.ExitCode, again.Output));
        Assert.Contains("is up already", again.Errors);

        Assert.Equal(3, cluster.Processes().Length);
        await cluster.SucceedAsync("down");
        Assert.Empty(cluster.Processes());
        var gone = await cluster.RunAsync("silos");
        Assert.Equal(3, gone.ExitCode);
        Assert.StartsWith("No cluster is up", gone.Errors);
    }

    [Fact]
    public async Task A_silo_joins_and_leaves_on_SIGTERM_or_when_it_is_told_to()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1");
        using var joined = cluster.Start("silo", "--name", "guest");
        await cluster.ExpectSilosAsync("guest active, silo-0 active");
        var sameName = await cluster.RunAsync("silo", "--name", "guest");
        Assert.Equal(2, sameName.ExitCode);

        GenSlmConsole.Signal(cluster.ProcessOf("guest"), "TERM");
        Assert.Equal(0, (await joined.EndAsync()).ExitCode);
        Assert.Equal("silo-0 active", await cluster.SilosAsync());

        using var second = cluster.Start("silo");
        await cluster.ExpectSilosAsync("silo-0 active, silo-1 active");
        await cluster.SucceedAsync("silo", "drain", "silo-1");
        Assert.Equal(0, (await second.EndAsync()).ExitCode);
        Assert.Equal("silo-0 active", await cluster.SilosAsync());

        using var third = cluster.Start("silo");
        await cluster.ExpectSilosAsync("silo-0 active, silo-1 active");
        third.Signal("INT");
        Assert.Equal(0, (await third.EndAsync()).ExitCode);

        var mistyped = await cluster.RunAsync("silo", "drain", "silo-7");
        Assert.Equal(2, mistyped.ExitCode);
        Assert.Contains("did you mean silo-0?", mistyped.Errors);
    }

    [Fact]
    public async Task A_killed_silo_is_noticed_and_down_stops_the_others()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "3");
        UpCluster.Kill(cluster.ProcessOf("silo-1"));
        var noticed = await cluster.ExpectSilosAsync("silo-0 active, silo-1 dead, silo-2 active");
        Assert.InRange(noticed, TimeSpan.Zero, NoticedWithin);
        await cluster.SucceedAsync("down");
        Assert.Empty(cluster.Processes());
    }

    [Fact]
    public async Task A_paused_silo_is_declared_dead_and_ends_when_it_comes_back()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2");
        int paused = cluster.ProcessOf("silo-1");
        GenSlmConsole.Signal(paused, "STOP");
        await cluster.ExpectSilosAsync("silo-0 active, silo-1 dead");
        GenSlmConsole.Signal(paused, "CONT");
        await cluster.ExpectProcessesAsync(count => count == 2, "Garnet and one silo");
        Assert.DoesNotContain(paused, cluster.Processes());
    }

    [Fact]
    public async Task A_cluster_killed_whole_comes_up_again_with_what_its_Redis_held()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2");
        Assert.Equal("+OK", await cluster.RedisAsync("SET survivor 42"));
        foreach (var process in cluster.Processes()) UpCluster.Kill(process);
        await cluster.ExpectProcessesAsync(count => count == 0, "no process");

        await cluster.SucceedAsync("up", "--silos", "2");
        Assert.Equal("42", await cluster.RedisAsync("GET survivor"));
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());

        await cluster.SucceedAsync("down", "--forget");
        await cluster.SucceedAsync("up", "--silos", "1");
        Assert.Equal(":0", await cluster.RedisAsync("EXISTS survivor"));
    }

    [Fact]
    public async Task A_cluster_goes_on_when_its_Redis_is_killed_and_started_again()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2");
        var command = File.ReadAllText($"/proc/{cluster.Garnet}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);
        UpCluster.Kill(cluster.Garnet);
        using var garnet = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        using var joined = cluster.Start("silo");
        await cluster.ExpectSilosAsync("silo-0 active, silo-1 active, silo-2 active");
    }

    [Fact]
    public async Task A_console_killed_while_it_starts_a_cluster_leaves_no_process()
    {
        await using var cluster = new UpCluster();
        using var console = cluster.Start("up", "--silos", "3");
        await cluster.ExpectProcessesAsync(count => count >= 2, "Garnet and a silo");
        console.Signal("KILL");
        await console.EndAsync();
        await cluster.ExpectProcessesAsync(count => count == 0, "no process");
        await cluster.SucceedAsync("up", "--silos", "1");
    }

    [Fact]
    public async Task A_file_that_names_a_strangers_process_harms_nobody()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1");
        using var stranger = Process.Start("sleep", "600");
        var file = cluster.File("cluster/cluster.json");
        int silo = cluster.ProcessOf("silo-0");
        File.WriteAllText(file, File.ReadAllText(file).Replace(
            string.Create(CultureInfo.InvariantCulture, $"\"id\": {silo}"), string.Create(CultureInfo.InvariantCulture, $"\"id\": {stranger.Id}")));
        await cluster.SucceedAsync("down");
        Assert.False(stranger.HasExited);
        Assert.Equal([silo], cluster.Processes());
        stranger.Kill();
    }

    [Fact]
    public async Task A_server_of_the_users_serves_as_well_and_keeps_nothing_of_a_training()
    {
        var server = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(server is null, "There is no redis-server on this machine.");
        const string Port = "19379";
        await using var cluster = new UpCluster($"GENSLM_REDIS=127.0.0.1:{Port}");
        using var redis = Process.Start(new ProcessStartInfo(server!, ["--port", Port, "--bind", "127.0.0.1", "--save", "", "--dir", cluster.File(".")]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        try
        {
            var ready = await redis.StandardOutput.ReadLineAsync();
            while (ready is not null && !ready.Contains("Ready to accept connections")) ready = await redis.StandardOutput.ReadLineAsync();
            await cluster.SucceedAsync("train", GenSlmConsole.Sample, "--silos", "2", "--shards", "2", "--max-steps", "1", "--output", cluster.File("run"));
            Assert.Equal("0", (await KeysAsync(Port)).Trim());
            await cluster.SucceedAsync("up", "--silos", "2");
            Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
            Assert.Equal(2, cluster.Processes().Length);
            await cluster.SucceedAsync("down", "--forget");
            Assert.Equal("0", (await KeysAsync(Port)).Trim());
        }
        finally
        {
            redis.Kill();
        }

        var unreachable = await cluster.RunAsync("up");
        Assert.Equal(3, unreachable.ExitCode);
        Assert.StartsWith($"Redis at 127.0.0.1:{Port} (the server that GENSLM_REDIS names) does not answer", unreachable.Errors);
    }

    private static async Task<string> KeysAsync(string port)
    {
        using var client = Process.Start(new ProcessStartInfo("redis-cli", ["-p", port, "--raw", "dbsize"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        return await client.StandardOutput.ReadToEndAsync();
    }
}
