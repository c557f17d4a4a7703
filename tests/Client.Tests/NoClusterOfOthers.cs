using System.Runtime.CompilerServices;

namespace GenSlmOrleans.Client.Tests;

/// <summary>What the tests see does not depend on a cluster that is up on this machine.</summary>
internal static class NoClusterOfOthers
{
    [ModuleInitializer]
    internal static void Hide()
    {
        Environment.SetEnvironmentVariable("GENSLM_CACHE", Path.Combine(Path.GetTempPath(), $"genslm-tests-{Environment.ProcessId}"));
        Environment.SetEnvironmentVariable("GENSLM_GATEWAY", null);
        Environment.SetEnvironmentVariable("GENSLM_CLUSTER", null);
    }
}
