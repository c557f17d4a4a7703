using System.Diagnostics;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What a silo and a console say of settings and addresses that cannot be.</summary>
public sealed class ClusterSettingsTests
{
    [Theory]
    [InlineData("The deadline 'failure-detection' is 30 s, longer than 'drain-timeout', which encloses it and is 10 s", "--failure-detection", "30", "--drain-timeout", "10")]
    [InlineData("--failure-detection is '0'; expected seconds from 0.5 to 60.", "--failure-detection", "0")]
    [InlineData("--redis is 'x=y=z,b'; expected HOST:PORT", "--redis", "x=y=z,b")]
    public async Task A_silo_refuses_settings_that_cannot_be(string sentence, params string[] arguments)
    {
        var (exitCode, errors) = await SiloAsync(arguments);
        Assert.Equal(2, exitCode);
        Assert.StartsWith(sentence, errors);
        Assert.Single(errors.Trim().Split('\n'));
    }

    [Theory]
    [InlineData(3, "No cluster answers at 127.0.0.1:1.", "silos", "--gateway", "127.0.0.1:1")]
    [InlineData(2, "--gateway has 'nowhere'; expected HOST:PORT", "silos", "--gateway", "nowhere")]
    [InlineData(2, "output is 'xml'; expected one of table, json.", "silos", "-o", "xml")]
    [InlineData(2, "silos is '0'; expected a whole number, at least 1.", "up", "--silos", "0")]
    [InlineData(2, "grace is 'long'; expected seconds from 0 to 3600.", "down", "--grace", "long")]
    [InlineData(3, "Redis at 127.0.0.1:1 (the cluster's) does not answer", "silo", "--join", "127.0.0.1:1")]
    public async Task A_console_refuses_what_cannot_be(int exitCode, string sentence, params string[] arguments)
    {
        await using var cluster = new UpCluster();
        var result = await cluster.RunAsync(arguments);
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
        Assert.StartsWith(sentence, result.Errors);
        Assert.Single(result.Errors.Trim().Split('\n'));
    }

    private static async Task<(int ExitCode, string Errors)> SiloAsync(string[] arguments)
    {
        var program = Path.Combine(GenSlmConsole.Root, "artifacts", "bin", "Silo", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "GenSlmOrleans.Silo.dll");
        using var silo = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardError = true, UseShellExecute = false })!;
        var errors = await silo.StandardError.ReadToEndAsync();
        await silo.WaitForExitAsync();
        return (silo.ExitCode, errors);
    }
}
