using System.Globalization;
using System.Net;
using GenSlmOrleans.Testing;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>Real processes with the variables, command lines and configurations of their pods.</summary>
public sealed class PodProcessTests
{
    [Fact]
    public async Task A_silo_passes_its_probes_and_ends_within_its_grace_period()
    {
        var overlay = Overlay.Render("cpu");
        using var folder = new TemporaryFolder();
        using var redis = await RedisPod.StartAsync(overlay, folder);
        int http = HealthTests.FreePort();
        var variables = PodEnvironment.Of(overlay).ToDictionary(StringComparer.Ordinal);
        // What is the pod's alone may be taken on this machine. Without a Redis server the silo keeps its state in memory.
        (variables["GENSLM_CACHE"], variables["GENSLM_HTTP_PORT"]) = (folder.Path, Text(http));
        (variables["GENSLM_SILO_PORT"], variables["GENSLM_GATEWAY_PORT"]) = (Text(HealthTests.FreePort()), Text(HealthTests.FreePort()));
        variables["GENSLM_REDIS"] = redis is null ? "" : variables["GENSLM_REDIS"].Replace("genslm-redis:6379", $"127.0.0.1:{redis.Port}");
        using var silo = ChildProcess.TryStart("dotnet", [Repository.Program("Silo")], variables)!;

        var startup = overlay.Silo.StartupProbe;
        var deadline = TimeSpan.FromSeconds(startup.PeriodSeconds!.Value * startup.FailureThreshold!.Value);
        using var client = new HttpClient();
        foreach (var probe in (V1Probe[])[startup, overlay.Silo.ReadinessProbe, overlay.Silo.LivenessProbe])
            await silo.UntilAsync(() => SucceedsAsync(client, new Uri($"http://127.0.0.1:{http}{probe.HttpGet.Path}")), deadline);

        var grace = TimeSpan.FromSeconds(overlay.Silos.Spec.Template.Spec.TerminationGracePeriodSeconds!.Value);
        Assert.Equal(0, await silo.TerminateAsync(grace));
    }

    [Fact]
    public async Task Redis_asks_for_its_password_and_keeps_what_was_written_when_it_is_killed()
    {
        var overlay = Overlay.Render("cpu");
        using var folder = new TemporaryFolder();
        using (var first = await RedisPod.StartAsync(overlay, folder))
        {
            Assert.SkipWhen(first is null, "There is no redis-server on the path.");
            Assert.StartsWith("-NOAUTH", await first.AskAsync("GET best", password: null));
            Assert.Equal("+OK", await first.AskAsync("SET best step-7"));
        }

        using var second = await RedisPod.StartAsync(overlay, folder);
        Assert.Equal("step-7", await second!.AskAsync("GET best"));
    }

    // As the kubelet counts: 200 to 399.
    private static async Task<bool> SucceedsAsync(HttpClient client, Uri address)
    {
        try
        {
            using var answer = await client.GetAsync(address, TestContext.Current.CancellationToken);
            Assert.NotEqual(HttpStatusCode.NotFound, answer.StatusCode);
            return (int)answer.StatusCode is >= 200 and < 400;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
