namespace GenSlmOrleans.Client.Local;

/// <summary>Where token stores and silo logs are kept: GENSLM_CACHE, or the user's cache folder.</summary>
internal static class CacheFolder
{
    public static string Path { get; } = Environment.GetEnvironmentVariable("GENSLM_CACHE") is { Length: > 0 } named
        ? System.IO.Path.GetFullPath(named)
        : System.IO.Path.Combine(UserCache(), "genslm");

    private static string UserCache()
    {
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg) return xdg;
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0 ? System.IO.Path.Combine(home, ".cache") : System.IO.Path.GetTempPath();
    }
}
