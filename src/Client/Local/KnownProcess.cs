using System.Diagnostics;
using System.Globalization;

namespace GenSlmOrleans.Client.Local;

/// <summary>A process that some console started, as another one knows it: by its id and by when it started, for ids are used again.</summary>
/// <param name="Id">Its process id.</param>
/// <param name="Started">What tells it from a later process of the same id.</param>
internal sealed record KnownProcess(int Id, string Started)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Takes note of a process that is running.</summary>
    public static KnownProcess Of(ChildProcess child) => new(child.Id, StartOf(child.Id) ?? "ended");

    /// <summary>Whether this very process is running.</summary>
    public bool IsAlive => StartOf(Id) == Started;

    /// <summary>Asks it to end (SIGTERM), if it is running.</summary>
    public void Terminate()
    {
        if (IsAlive) ProcessSignal.Send(Id, ProcessSignal.Terminate);
    }

    /// <summary>Ends it at once, if it is running.</summary>
    public void Kill()
    {
        if (!IsAlive) return;
        try
        {
            using var process = Process.GetProcessById(Id);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // It has just ended.
        }
    }

    /// <summary>Whether it ends before the deadline.</summary>
    public async Task<bool> EndsAsync(CancellationToken deadline)
    {
        while (IsAlive)
        {
            if (deadline.IsCancellationRequested) return false;
            await Task.WhenAny(Task.Delay(PollInterval, deadline));
        }

        return true;
    }

    // Linux tells the start in ticks since boot, which no later correction of the clock changes.
    private static string? StartOf(int id)
    {
        if (OperatingSystem.IsLinux()) return LinuxStartOf(id);
        try
        {
            using var process = Process.GetProcessById(id);
            return process.StartTime.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? LinuxStartOf(int id)
    {
        try
        {
            // After the name, which may hold anything but ends with the last parenthesis: 3rd field the state, 22nd the start.
            var status = File.ReadAllText($"/proc/{id}/stat");
            var fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] == "Z" ? null : $"{fields[19]}@{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
