using System.Collections.Immutable;
using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Host;

/// <summary>
/// Everything that bounds the memory of this process: the machine, control groups (v1 and v2, its own and all above), the
/// limit of its address space, and the setting. The machine counts with all it has, not with what is free: silos of one
/// machine start together, each would see the others' memory as its own, and a silo that starts anew as the others'. What
/// others leave is looked at again when memory is taken.
/// </summary>
public static class MemoryBounds
{
    /// <summary>Reads the bounds of this process as they are now.</summary>
    /// <param name="settingBytes">The silo's own setting; null: none.</param>
    public static ImmutableArray<MemoryBound> Read(long? settingBytes)
    {
        var identity = ReadFile("/proc/sys/kernel/random/boot_id")?.Trim() ?? Environment.MachineName;
        if (OperatingSystem.IsLinux())
            return Of(ReadFile, identity, ReadLink("/proc/self/ns/cgroup"), Environment.ProcessId, settingBytes);
        var machine = GC.GetGCMemoryInfo();
        return
        [
            new(new MemoryPool($"{identity} machine", "the machine", machine.TotalAvailableMemoryBytes), machine.TotalAvailableMemoryBytes - machine.MemoryLoadBytes),
            .. Setting(identity, Environment.ProcessId, settingBytes, Environment.WorkingSet),
        ];
    }

    /// <summary>The bounds that Linux' files tell of.</summary>
    /// <param name="read">The content of a file of /proc or /sys; null when there is none.</param>
    /// <param name="machine">Names the machine and its start.</param>
    /// <param name="groupNamespace">Names the namespace in which the control groups' paths are meant: two containers' <c>/</c> are not the same.</param>
    /// <param name="processId">Names this process.</param>
    /// <param name="settingBytes">The silo's own setting; null: none.</param>
    public static ImmutableArray<MemoryBound> Of(Func<string, string?> read, string machine, string groupNamespace, int processId, long? settingBytes)
    {
        var status = Lines(read("/proc/self/status"));
        return
        [
            .. Machine(Lines(read("/proc/meminfo")), machine),
            .. ControlGroups.Bounds(read).Select(bound => bound with { Pool = bound.Pool with { Name = $"{machine} {groupNamespace} {bound.Pool.Name}" } }),
            .. AddressSpace(Lines(read("/proc/self/limits")), status, machine, processId),
            .. Setting(machine, processId, settingBytes, Kilobytes(status, "VmRSS") ?? 0),
        ];
    }

    private static IEnumerable<MemoryBound> Machine(string[] memory, string machine)
    {
        if (Kilobytes(memory, "MemTotal") is not { } total) yield break;
        yield return new MemoryBound(new MemoryPool($"{machine} machine", "the machine", total), Kilobytes(memory, "MemAvailable") ?? total);
    }

    private static IEnumerable<MemoryBound> Setting(string machine, int processId, long? settingBytes, long residentBytes)
    {
        if (settingBytes is { } bytes) yield return new MemoryBound(new MemoryPool($"{machine} process {processId}", "--memory", bytes), bytes - residentBytes);
    }

    private static IEnumerable<MemoryBound> AddressSpace(string[] limits, string[] status, string machine, int processId)
    {
        const string Title = "Max address space";
        var words = limits.FirstOrDefault(line => line.StartsWith(Title, StringComparison.Ordinal))?[Title.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not [var soft, ..] || !long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes)) yield break;
        yield return new MemoryBound(new MemoryPool($"{machine} addresses {processId}", "ulimit -v", bytes), bytes - (Kilobytes(status, "VmSize") ?? 0));
    }

    private static long? Kilobytes(string[] lines, string key)
    {
        var words = lines.FirstOrDefault(line => line.StartsWith(key + ":", StringComparison.Ordinal))?.Split(' ', '\t', StringSplitOptions.RemoveEmptyEntries);
        return words is [_, var value, ..] && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long kilobytes) ? kilobytes * 1024 : null;
    }

    private static string[] Lines(string? text) => text?.Split('\n') ?? [];

    private static string? ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string ReadLink(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget ?? "";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
