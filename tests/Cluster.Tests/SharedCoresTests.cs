using System.Diagnostics;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Whose cores they are, where a silo comes up beside others that compute.</summary>
public sealed class SharedCoresTests
{
    private const string CompilerThread = ".NET Tiered Com";
    private const int NicenessOfComputing = 10;

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_silo_that_joins_keeps_to_one_core_until_it_has_joined_and_the_compiler_gives_way_in_all_processes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.ProcessorCount > 1, "needs Linux and more than one core");
        var own = CoresOf("self");
        var online = (await File.ReadAllTextAsync("/sys/devices/system/cpu/online", TestContext.Current.CancellationToken)).Trim();
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1");
        int first = cluster.ProcessOf("silo-0");
        await UntilAsync("no thread of the first silo is kept to some cores", () => HasAllCores(first));

        int[] before = cluster.Processes();
        using var joined = cluster.Start("silo", "--name", "guest");
        int guest = 0;
        await UntilAsync("the guest is on one core", () => cluster.Processes().Except(before).Where(IsSilo).Any(process => CoresOf($"{guest = process}").All(char.IsAsciiDigit)));
        await cluster.ExpectSilosAsync("guest active, silo-0 active");
        await UntilAsync("each thread of the guest has all cores again", () => HasAllCores(guest));

        foreach (int process in (int[])[first, guest, cluster.Garnet])
            await UntilAsync($"the compiler of process {process} gives way", () => Threads(process).Any(thread => Read(thread, "comm").TrimEnd() == CompilerThread && NicenessOf(thread) == NicenessOfComputing));
        // It would end when it had nothing to do, and the next one would not give way.
        foreach (int process in (int[])[first, guest, cluster.Garnet]) Assert.Contains("DOTNET_TC_BackgroundWorkerTimeoutMs=7FFFFFFF", Read($"{process}", "environ").Split('\0'));

        // The kernel may count cores that are off, and a mask that was given back has only those that are on.
        bool HasAllCores(int process) => Threads(process).Select(CoresOf).All(cores => cores is "none" || cores == own || cores == online);
    }

    private static async Task UntilAsync(string what, Func<bool> holds)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long began = Stopwatch.GetTimestamp();
        while (!holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, $"not within {Deadline.TotalSeconds} s: {what}");
            await timer.WaitForNextTickAsync();
        }
    }

    private static bool IsSilo(int process) => Read($"{process}", "cmdline").Contains("GenSlmOrleans.Silo.dll");

    // As in "0-3,8" (proc(5), status).
    private static string CoresOf(string thread) => Read(thread, "status").Split('\n').Where(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Select(line => line.Split(':')[1].Trim()).SingleOrDefault("none");

    // The 19th field; the second, in brackets, may hold spaces (proc(5), stat).
    private static int NicenessOf(string thread) => Read(thread, "stat").Split(") ") is [_, var rest] ? int.Parse(rest.Split(' ')[16]) : int.MinValue;

    private static string[] Threads(int process) => [.. Directory.EnumerateDirectories($"/proc/{process}/task").Select(folder => $"{process}/task/{Path.GetFileName(folder)}")];

    private static string Read(string process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return "";
        }
    }
}
