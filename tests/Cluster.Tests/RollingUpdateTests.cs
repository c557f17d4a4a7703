using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Every silo of a cluster is replaced while a run of the size that users have trains, as Kubernetes does it: one after the other, each told to leave and waited for.</summary>
public sealed class RollingUpdateTests(ITestOutputHelper output)
{
    private const int Steps = 4;

    // Steps of about twenty seconds on two cores, for which a pod that is told to leave would not be given the time. Each setting is away from its default.
    private static readonly string[] Settings =
    [
        "--model", "genslm_25M_patric", "--threads", "1", "--shards", "5", "--seq-length", "400", "--batch-size", "1", "--accumulation-steps", "6", "--max-steps", Steps.ToString(CultureInfo.InvariantCulture),
        "--shuffle", "false", "--val-fraction", "0", "--schedule", "cosine", "--warmup-steps", "1", "--gradient-clip", "0.5", "--learning-rate", "1e-4", "--seed", "0",
    ];

    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Three_silos_are_replaced_one_after_the_other_within_a_run_of_25M_and_nothing_is_done_again()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "3", "--devices", "cpu");
        await cluster.SucceedAsync(["submit", GenSlmConsole.Sample, .. Settings, "--name", "large", "--output", cluster.File("rolled"), "--detach"]);
        await cluster.SucceedAsync("watch", "large", "--until-step", "1");

        var grace = Grace();
        var replaced = new List<GenSlmConsole>();
        try
        {
            foreach (var silo in (string[])["silo-0", "silo-1", "silo-2"])
            {
                var left = await LeftAsync(cluster.ProcessOf(silo), grace);
                long began = Stopwatch.GetTimestamp();
                replaced.Add(cluster.Start("silo", "--name", silo, "--devices", "cpu"));
                await ReadyAsync(cluster, silo, replaced[^1]);
                output.WriteLine($"{silo}: gone {left.TotalSeconds:F1} s after SIGTERM, the next ready {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s after its start");
                Assert.Contains("All is handed over; leaving", await File.ReadAllTextAsync(cluster.File($"cluster/logs/{silo}.log"), TestContext.Current.CancellationToken));
            }

            var during = await DescribeAsync(cluster);
            Assert.True(during.GetProperty("step").GetInt32() < Steps, "the run was over before the last silo had been replaced: its steps are too short for this test");
            await cluster.SucceedAsync("wait", "large", "--for", "completed", "--timeout", "7m");
            Assert.Equal("silo-0 active, silo-1 active, silo-2 active", await cluster.SilosAsync());
            await EndedAsUndisturbedAsync(cluster);
        }
        finally
        {
            foreach (var console in replaced) console.Dispose();
        }
    }

    private async Task EndedAsUndisturbedAsync(UpCluster cluster)
    {
        var end = await DescribeAsync(cluster);
        var events = end.GetProperty("events").EnumerateArray().Select(happened => happened.GetProperty("text").GetString()!).ToArray();
        foreach (var happened in events) output.WriteLine(happened);
        // On two, for both cores.
        var undisturbed = await GenSlmConsole.TrainAsync([GenSlmConsole.Sample, .. Settings, "--silos", "2", "--output", cluster.File("undisturbed")]);
        foreach (var run in (string[])["undisturbed", "rolled"])
            output.WriteLine($"{run}: {string.Join(", ", StepLines(cluster.File(run)).Select(step => $"{step.GetProperty("seconds").GetDouble():F1} s"))}");

        Assert.Equal(undisturbed.GetProperty("weightsSha256").GetString(), end.GetProperty("weightsSha256").GetString());
        Assert.Equal((0, 0), (end.GetProperty("repeatedMicroBatches").GetInt32(), end.GetProperty("replayedSteps").GetInt32()));
        Assert.DoesNotContain(events, happened => happened.Contains("back to ") || happened.Contains("going on after step") || happened.Contains(" are lost: "));
        await cluster.SucceedAsync("verify", cluster.File("rolled"));
        Assert.Equal(Enumerable.Range(1, Steps), StepLines(cluster.File("rolled")).Select(step => step.GetProperty("step").GetInt32()));
    }

    private static async Task<JsonElement> DescribeAsync(UpCluster cluster) => JsonDocument.Parse(await cluster.SucceedAsync("describe", "large", "-o", "json")).RootElement;

    private static JsonElement[] StepLines(string folder) =>
        [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).Where(line => line.GetProperty("kind").GetString() == "step")];

    /// <summary>What a pod is given to hand over in, as the manifests have it: after that it would be killed.</summary>
    private static TimeSpan Grace()
    {
        const string Setting = "GENSLM_DRAIN_TIMEOUT=";
        var line = File.ReadLines(Path.Combine(GenSlmConsole.Root, "k8s", "base", "settings.env")).Single(line => line.StartsWith(Setting, StringComparison.Ordinal));
        return TimeSpan.FromSeconds(int.Parse(line[Setting.Length..], CultureInfo.InvariantCulture));
    }

    /// <summary>Tells a silo to leave and waits for its process' end.</summary>
    private static async Task<TimeSpan> LeftAsync(int process, TimeSpan grace)
    {
        long began = Stopwatch.GetTimestamp();
        using var silo = Process.GetProcessById(process);
        GenSlmConsole.Signal(process, "TERM");
        await silo.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(grace, TestContext.Current.CancellationToken);
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>Waits until a silo says that it is ready, as a readiness probe does.</summary>
    private static async Task ReadyAsync(UpCluster cluster, string silo, GenSlmConsole console)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        long began = Stopwatch.GetTimestamp();
        while (!await cluster.IsReadyAsync(http, silo))
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < StartPatience, $"{silo} is not ready {StartPatience.TotalSeconds} s after its start:\n{console.Errors}");
            await pace.WaitForNextTickAsync();
        }
    }
}
