using System.Diagnostics;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Whose cores they are, where a silo comes up beside others that compute.</summary>
public sealed class SharedCoresTests
{
    private const string CompilerThread = ".NET Tiered Com";
    private const int NicenessOfComputing = 10;
    private const int NicenessOfStarting = 14;
    private const int NicenessOfCompiling = 15;

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_silo_that_joins_keeps_to_one_core_and_gives_way_until_it_has_joined_and_the_compiler_gives_way_in_all_processes()
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
        // What is not privileged could not take it back.
        if (MayTakeNicenessBack) await UntilAsync("all threads of the guest give way", () => Threads(guest).Select(NicenessOf).ToArray() is var found && found.Contains(NicenessOfStarting) && found.All(niceness => niceness is >= NicenessOfComputing or int.MinValue));
        await cluster.ExpectSilosAsync("guest active, silo-0 active");
        await UntilAsync("each thread of the guest has all cores again", () => HasAllCores(guest));
        await UntilAsync("no thread of the guest gives way as one that starts", () => !Threads(guest).Any(thread => NicenessOf(thread) == NicenessOfStarting));

        foreach (int process in (int[])[first, guest, cluster.Garnet])
            await UntilAsync($"the compiler of process {process} gives way", () => Threads(process).Any(thread => Read(thread, "comm").TrimEnd() == CompilerThread && NicenessOf(thread) == NicenessOfCompiling));
        // It would end when it had nothing to do, and the next one would not give way.
        foreach (int process in (int[])[first, guest, cluster.Garnet]) Assert.Contains("DOTNET_TC_BackgroundWorkerTimeoutMs=7FFFFFFF", Read($"{process}", "environ").Split('\0'));

        // The kernel may count cores that are off, and a mask that was given back has only those that are on.
        bool HasAllCores(int process) => Threads(process).Select(CoresOf).All(cores => cores is "none" || cores == own || cores == online);
    }

    [Fact]
    public async Task All_processes_of_a_cluster_are_in_the_session_of_its_console_where_niceness_counts_and_none_in_its_group()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc");
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        var session = SessionOf("self");
        int[] processes = [cluster.ProcessOf("silo-0"), cluster.ProcessOf("silo-1"), cluster.Garnet];
        foreach (int process in processes)
        {
            await UntilAsync($"process {process} is in a group of its own", () => GroupOf($"{process}") == $"{process}");
            Assert.Equal(session, SessionOf($"{process}"));
            // A terminal that is closed says so.
            GenSlmConsole.Signal(process, "HUP");
        }

        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        Assert.Empty(processes.Except(cluster.Processes()));
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

    private static int NicenessOf(string thread) => Stat(thread, 19) is { } niceness ? int.Parse(niceness) : int.MinValue;

    // CAP_SYS_NICE is bit 23 (capabilities(7)).
    private static bool MayTakeNicenessBack =>
        Read("self", "status").Split('\n').Where(line => line.StartsWith("CapEff:", StringComparison.Ordinal)).Any(line => (Convert.ToUInt64(line.Split(':')[1].Trim(), 16) >> 23 & 1) != 0);

    private static string? GroupOf(string process) => Stat(process, 5);

    private static string? SessionOf(string process) => Stat(process, 6);

    // Fields are counted from one; the second, in brackets, may hold spaces (proc(5), stat).
    private static string? Stat(string process, int field) => Read(process, "stat").Split(") ") is [_, var rest] ? rest.Split(' ')[field - 3] : null;

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
