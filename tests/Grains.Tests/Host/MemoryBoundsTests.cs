using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests.Host;

/// <summary>Trees of /proc and /sys as machines and containers have them.</summary>
public sealed class MemoryBoundsTests
{
    private const long GibiByte = 1L << 30;
    private const string Meminfo = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:    8388608 kB\n";
    private const string UnifiedMount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    private const string LegacyMounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        + "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    private const string NoLimit = "9223372036854771712\n";

    [Fact]
    public void Without_any_limit_the_machine_counts_with_all_it_has_and_what_is_free_is_told()
    {
        var bound = Assert.Single(Bounds(("/proc/meminfo", Meminfo)));
        Assert.Equal(("boot machine", "the machine", 16 * GibiByte, 8 * GibiByte), (bound.Pool.Name, bound.Pool.Source, bound.Pool.SizeBytes, bound.FreeBytes));
    }

    [Fact]
    public void A_v2_group_and_all_above_it_count_and_max_is_no_limit() => Assert.Equal(
        [
            ("boot ns /sys/fs/cgroup/genslm.slice/silo.service", "memory.high of its control group", 5 * GibiByte, 4 * GibiByte),
            ("boot ns /sys/fs/cgroup/genslm.slice", "memory.max of its control group", 6 * GibiByte, 5 * GibiByte),
        ],
        Groups(
            ("/proc/self/mountinfo", UnifiedMount),
            ("/proc/self/cgroup", "0::/genslm.slice/silo.service\n"),
            ("/sys/fs/cgroup/genslm.slice/silo.service/memory.max", "max\n"),
            ("/sys/fs/cgroup/genslm.slice/silo.service/memory.high", $"{5 * GibiByte}\n"),
            ("/sys/fs/cgroup/genslm.slice/silo.service/memory.current", $"{3 * GibiByte}\n"),
            ("/sys/fs/cgroup/genslm.slice/silo.service/memory.stat", $"anon 5\ninactive_file {2 * GibiByte}\n"),
            ("/sys/fs/cgroup/genslm.slice/memory.max", $"{6 * GibiByte}\n"),
            ("/sys/fs/cgroup/genslm.slice/memory.high", $"{7 * GibiByte}\n"),
            ("/sys/fs/cgroup/genslm.slice/memory.current", $"{GibiByte}\n")));

    [Fact]
    public void In_a_container_of_v2_the_mount_is_the_group() => Assert.Equal(
        [("boot ns /sys/fs/cgroup", "memory.max of its control group", 6 * GibiByte, 6 * GibiByte)],
        Groups(("/proc/self/mountinfo", UnifiedMount), ("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/memory.max", $"{6 * GibiByte}\n")));

    [Fact]
    public void A_v1_group_counts_with_those_above_that_are_and_that_are_not_to_be_seen() => Assert.Equal(
        [
            ("boot ns /sys/fs/cgroup/memory/batch/job-7", "memory.limit_in_bytes of its control group", 2 * GibiByte, GibiByte),
            ("boot ns /sys/fs/cgroup/memory/batch", "memory.limit_in_bytes of its control group", 3 * GibiByte, 3 * GibiByte),
        ],
        Groups(
            ("/proc/self/mountinfo", LegacyMounts),
            ("/proc/self/cgroup", "9:name=systemd:/\n4:cpuacct,memory:/batch/job-7\n1:cpu:/\n0::/\n"),
            ("/sys/fs/cgroup/memory/batch/job-7/memory.limit_in_bytes", NoLimit),
            ("/sys/fs/cgroup/memory/batch/job-7/memory.usage_in_bytes", $"{GibiByte}\n"),
            ("/sys/fs/cgroup/memory/batch/job-7/memory.stat", $"cache 4\nhierarchical_memory_limit {2 * GibiByte}\n"),
            ("/sys/fs/cgroup/memory/batch/memory.limit_in_bytes", $"{3 * GibiByte}\n"),
            ("/sys/fs/cgroup/memory/batch/memory.use_hierarchy", "1\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", NoLimit)));

    [Fact]
    public void A_v1_group_that_does_not_count_what_is_below_it_is_no_bound() => Assert.Empty(Groups(
        ("/proc/self/mountinfo", LegacyMounts),
        ("/proc/self/cgroup", "4:memory:/batch/job-7\n"),
        ("/sys/fs/cgroup/memory/batch/memory.limit_in_bytes", $"{3 * GibiByte}\n"),
        ("/sys/fs/cgroup/memory/batch/memory.use_hierarchy", "0\n")));

    [Theory]
    [InlineData("/docker/3f2a", "/docker/3f2a/worker", "/sys/fs/cgroup/memory/worker")]
    [InlineData("/docker/3f2a", "/docker/3f2a", "/sys/fs/cgroup/memory")]
    [InlineData("/docker/3f2a", "/", "/sys/fs/cgroup/memory")]
    [InlineData("/", "/../other", "/sys/fs/cgroup/memory")]
    public void A_path_is_meant_from_the_root_of_what_is_mounted(string root, string path, string folder) => Assert.Equal(
        [$"boot ns {folder}"],
        Groups(
            ("/proc/self/mountinfo", $"35 31 0:32 {root} /sys/fs/cgroup/memory ro,relatime master:14 - cgroup cgroup rw,memory\n"),
            ("/proc/self/cgroup", $"4:memory:{path}\n"),
            ($"{folder}/memory.limit_in_bytes", $"{GibiByte}\n")).Select(group => group.Name));

    [Fact]
    public void The_setting_and_the_limit_of_addresses_are_this_process_s_alone()
    {
        var bounds = MemoryBounds.Of(
            Files(
                ("/proc/self/status", "Name:\tdotnet\nVmSize:\t 2097152 kB\nVmRSS:\t 1048576 kB\n"),
                ("/proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax address space         8589934592           unlimited            bytes     \n")),
            "boot", "ns", processId: 77, settingBytes: 3 * GibiByte);
        Assert.Equal(
            [("boot addresses 77", "ulimit -v", 8 * GibiByte, 6 * GibiByte), ("boot process 77", "--memory", 3 * GibiByte, 2 * GibiByte)],
            bounds.Select(bound => (bound.Pool.Name, bound.Pool.Source, bound.Pool.SizeBytes, bound.FreeBytes)));
    }

    [Fact]
    public void This_machine_has_memory()
    {
        var bounds = MemoryBounds.Read(settingBytes: GibiByte);
        Assert.True(bounds.Length >= 2, "the machine and the setting are both bounds");
        Assert.All(bounds, bound => Assert.InRange(bound.Pool.SizeBytes, 1, 1L << 50));
        Assert.Equal(bounds.Select(bound => bound.Pool), MemoryBounds.Read(settingBytes: GibiByte).Select(bound => bound.Pool));
    }

    [Theory]
    [InlineData("6GiB", 6L << 30)]
    [InlineData("6Gi", 6L << 30)]
    [InlineData("1.5 GiB", 3L << 29)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("2GB", 2_000_000_000)]
    [InlineData("1048576", 1 << 20)]
    public void A_size_reads_as_it_is_written(string text, long expected)
    {
        Assert.True(MemorySize.TryParse(text, out long bytes), text);
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("much")]
    [InlineData("-1GiB")]
    [InlineData("0")]
    [InlineData("NaN")]
    [InlineData("1e30TiB")]
    public void What_is_no_size_is_refused(string text) => Assert.False(MemorySize.TryParse(text, out _));

    private static IEnumerable<(string Name, string Source, long Bytes, long Free)> Groups(params (string Path, string Text)[] files) =>
        Bounds(files).Select(bound => (bound.Pool.Name, bound.Pool.Source, bound.Pool.SizeBytes, bound.FreeBytes));

    private static IEnumerable<MemoryBound> Bounds(params (string Path, string Text)[] files) => MemoryBounds.Of(Files(files), "boot", "ns", processId: 77, settingBytes: null);

    private static Func<string, string?> Files(params (string Path, string Text)[] files) => path => files.FirstOrDefault(file => file.Path == path).Text;
}
