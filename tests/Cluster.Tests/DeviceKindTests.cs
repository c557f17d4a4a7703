using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Runs and the processors whose bits they have.</summary>
public sealed class DeviceKindTests
{
    [Fact]
    public async Task A_run_goes_on_with_other_instructions_only_when_asked_to()
    {
        using var folder = new TemporaryFolder();
        string[] settings = [GenSlmConsole.Sample, "--threads", "1", "--val-fraction", "0", "--accumulation-steps", "1", "--output", folder.File("run")];
        await GenSlmConsole.TrainAsync([.. settings, "--max-steps", "1"]);
        var kind = JsonDocument.Parse(File.ReadAllBytes(folder.File("run/run.json"))).RootElement.GetProperty("resolved").GetProperty("deviceFingerprint").GetString()!;
        Assert.SkipUnless(kind.Contains("AVX", StringComparison.Ordinal), $"this processor has no instructions to do without: {kind}");

        string[] more = ["train", .. settings, "--max-steps", "2", "--resume"];
        using var other = GenSlmConsole.StartThrough("ATEN_CPU_CAPABILITY=default exec \"$@\"", more);
        var refused = await other.EndAsync();
        Assert.True(refused.ExitCode == 2, $"exit code {refused.ExitCode}\n{refused.Errors}");
        Assert.Matches($"began on {System.Text.RegularExpressions.Regex.Escape(kind)}; here are cpu .* (DEFAULT|NO AVX), .*, whose bits differ", refused.Errors);

        using var asked = GenSlmConsole.StartThrough("ATEN_CPU_CAPABILITY=default exec \"$@\"", [.. more, "--accept-other-device"]);
        var accepted = await asked.EndAsync();
        Assert.True(accepted.ExitCode == 0, $"exit code {accepted.ExitCode}\n{accepted.Errors}");
    }
}
