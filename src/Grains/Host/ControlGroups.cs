using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Host;

/// <summary>
/// The memory limits of the control groups that a process is in: its own and those above, as far as they are mounted. In a
/// container the groups above it are not; where the process's path is not below what is mounted, the mount itself is its group.
/// </summary>
internal static class ControlGroups
{
    // For "no limit" v1 writes the largest number of whole pages.
    private const long Unlimited = 1L << 62;

    /// <summary>The limits; a pool's name is its folder.</summary>
    /// <param name="read">The content of a file; null when there is none.</param>
    public static IEnumerable<MemoryBound> Bounds(Func<string, string?> read)
    {
        var own = Lines(read("/proc/self/cgroup")).Select(line => line.Split(':', 3)).Where(parts => parts.Length == 3).ToArray();
        foreach (var mount in Lines(read("/proc/self/mountinfo")).Select(Mount.Parse).OfType<Mount>())
        {
            var path = own.FirstOrDefault(parts => mount.IsUnified ? parts is ["0", "", _] : parts[1].Split(',').Contains("memory"))?[2];
            if (path is null) continue;
            foreach (var (folder, isOwn) in mount.Folders(path).Select((folder, place) => (folder, place == 0)))
                foreach (var bound in mount.IsUnified ? Unified(read, folder) : Legacy(read, folder, isOwn)) yield return bound;
        }
    }

    private static IEnumerable<MemoryBound> Unified(Func<string, string?> read, string folder)
    {
        long max = Number(read($"{folder}/memory.max")) ?? long.MaxValue;
        // Above it the kernel takes memory away and slows the process down until it is below: no room to work in either.
        long high = Number(read($"{folder}/memory.high")) ?? long.MaxValue;
        long least = Math.Min(max, high);
        if (least < Unlimited) yield return Bound(folder, least == max ? "memory.max" : "memory.high", least, Used(read, folder, "memory.current", "inactive_file"));
    }

    private static IEnumerable<MemoryBound> Legacy(Func<string, string?> read, string folder, bool isOwn)
    {
        // Without it what is below a group is not counted in it.
        if (!isOwn && Number(read($"{folder}/memory.use_hierarchy")) == 0) yield break;
        long? limit = Number(read($"{folder}/memory.limit_in_bytes"));
        // What groups above allow that are not to be seen from here.
        long? above = Statistic(read, folder, "hierarchical_memory_limit");
        long least = Math.Min(limit ?? long.MaxValue, above ?? long.MaxValue);
        if (least < Unlimited) yield return Bound(folder, "memory.limit_in_bytes", least, Used(read, folder, "memory.usage_in_bytes", "total_inactive_file"));
    }

    private static MemoryBound Bound(string folder, string file, long limit, long used) =>
        new(new MemoryPool(folder, $"{file} of its control group", limit), limit - used);

    // Files in the cache that were not read lately are given up before anything else.
    private static long Used(Func<string, string?> read, string folder, string file, string idleCache) =>
        Math.Max(0, (Number(read($"{folder}/{file}")) ?? 0) - (Statistic(read, folder, idleCache) ?? 0));

    private static long? Statistic(Func<string, string?> read, string folder, string key) => Number(
        Lines(read($"{folder}/memory.stat")).FirstOrDefault(line => line.StartsWith(key + " ", StringComparison.Ordinal))?[(key.Length + 1)..]);

    private static long? Number(string? text) =>
        ulong.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? (long)Math.Min(number, long.MaxValue) : null;

    private static string[] Lines(string? text) => text?.Split('\n', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>A mounted hierarchy of control groups.</summary>
    /// <param name="Root">The group that is mounted.</param>
    /// <param name="Point">Where it is mounted.</param>
    /// <param name="IsUnified">v2; otherwise v1's with the controller of memory.</param>
    private sealed record Mount(string Root, string Point, bool IsUnified)
    {
        // 30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw (man 5 proc_pid_mountinfo)
        public static Mount? Parse(string line)
        {
            var words = line.Split(' ');
            int dash = Array.IndexOf(words, "-");
            if (dash < 6 || words.Length <= dash + 3) return null;
            bool isUnified = words[dash + 1] == "cgroup2";
            if (!isUnified && (words[dash + 1] != "cgroup" || !words[dash + 3].Split(',').Contains("memory"))) return null;
            return new Mount(words[3], words[4], isUnified);
        }

        /// <summary>The group's folder and those above it, up to the mount.</summary>
        public IEnumerable<string> Folders(string path)
        {
            var below = Root == "/" ? path : path == Root ? "" : path.StartsWith(Root + "/", StringComparison.Ordinal) ? path[Root.Length..] : "";
            if (below.Contains("/../", StringComparison.Ordinal) || below.EndsWith("/..", StringComparison.Ordinal)) below = "";
            for (below = below.TrimEnd('/'); below.Length > 0; below = below[..below.LastIndexOf('/')]) yield return Point + below;
            yield return Point;
        }
    }
}
