namespace GenSlmOrleans.Bench;

/// <summary>A cache folder of a bench's own, so that its consoles and silos do not meet what its user may have up.</summary>
internal static class OwnCache
{
    // Whatever these name is not ours.
    private static readonly string[] s_others = ["GATEWAY", "REDIS", "CLUSTER", "PRIMARY", "ADDRESS", "SILO"];

    /// <summary>Sets this process' environment, which its consoles inherit.</summary>
    public static void Use(string folder)
    {
        Environment.SetEnvironmentVariable("GENSLM_CACHE", folder);
        foreach (var name in s_others) Environment.SetEnvironmentVariable($"GENSLM_{name}", null);
    }
}
