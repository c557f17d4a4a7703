using System.Globalization;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>This process' threads, as Linux lists them.</summary>
internal static class OwnThreads
{
    private const string Folder = "/proc/self/task";

    /// <summary>Whether they can be listed.</summary>
    public static bool AreKnown => OperatingSystem.IsLinux() && Directory.Exists(Folder);

    /// <summary>
    /// Changes each. A thread starts as the one is that starts it: looked for until there is none that was not seen. One may have ended
    /// meanwhile, and a sandbox may refuse: it then stays as it was.
    /// </summary>
    /// <param name="change">Given a thread's number.</param>
    public static void ChangeAll(Action<int> change)
    {
        var seen = new HashSet<int>();
        while (true)
        {
            int[] fresh = [.. Directory.EnumerateDirectories(Folder).Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)).Where(seen.Add)];
            if (fresh.Length == 0) return;
            foreach (int thread in fresh) change(thread);
        }
    }
}
