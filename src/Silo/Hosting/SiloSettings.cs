using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>How a silo is reached, what it offers and where it keeps its cache. Command line, then environment, then defaults.</summary>
public sealed record SiloSettings
{
    /// <summary>The silo's name: the pod or process name, stable across restarts.</summary>
    public string Name { get; init; } = Environment.MachineName;

    public int SiloPort { get; init; } = 11111;

    public int GatewayPort { get; init; } = 30000;

    /// <summary>Port of /metrics and /health.</summary>
    public int HttpPort { get; init; } = 8080;

    /// <summary>Port for other silos' blocks; 0: any that is free.</summary>
    public int TensorPort { get; init; }

    /// <summary>Whether blocks go between silos over connections of their own; otherwise as grain calls.</summary>
    public bool HasTensorChannel { get; init; } = true;

    /// <summary>The first silo's HOST:PORT, for the others of a cluster without Redis; null for the first.</summary>
    public IPEndPoint? Primary { get; init; }

    /// <summary>Where membership, grain state and reminders are kept, as StackExchange.Redis reads it (HOST:PORT,password=…); null: in memory.</summary>
    public string? Redis { get; init; }

    /// <summary>Which cluster on that Redis: silos of the same name find each other.</summary>
    public string Cluster { get; init; } = "genslm";

    /// <summary>The address that other silos and consoles reach this one at: the pod's. Any but the loopback listens on every interface.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>Within which time a dead silo is to be noticed; every other deadline derives from it.</summary>
    public TimeSpan FailureDetection { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a silo told to leave has to hand over what it holds.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Every deadline that derives from these.</summary>
    /// <exception cref="ArgumentException">An inner one exceeds an outer one.</exception>
    public FailureDeadlines Deadlines => FailureDeadlines.Derive(FailureDetection, DrainTimeout);

    /// <summary>Devices to offer; empty: this silo's part of the free GPUs, or the CPU.</summary>
    public ImmutableArray<string> Devices { get; init; } = [];

    /// <summary>How many silos share this machine's GPUs.</summary>
    public int SilosHere { get; init; } = 1;

    /// <summary>How much memory the silo may use, in bytes; null: what the machine and its limits leave it.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Where token stores are kept.</summary>
    public string CacheFolder { get; init; } = Path.Combine(Path.GetTempPath(), "genslm");

    /// <summary>Keep to one core until it has joined, for others of this machine are at work.</summary>
    public bool StartsAside { get; init; }

    /// <summary>End as soon as the process that started this one is gone.</summary>
    public bool EndsWithParent { get; init; }

    /// <summary>Reads <c>--name value</c> options; each may be an environment variable <c>GENSLM_NAME</c> instead.</summary>
    /// <exception cref="ArgumentException">An option is unknown or its value is not as it should be.</exception>
    public static SiloSettings Read(IReadOnlyList<string> args)
    {
        var settings = new SiloSettings();
        foreach (var (option, apply) in Options)
        {
            var value = Environment.GetEnvironmentVariable($"GENSLM_{option.Replace('-', '_').ToUpperInvariant()}");
            if (!string.IsNullOrEmpty(value)) settings = apply(settings, value);
        }

        for (int i = 0; i < args.Count; i += 2)
        {
            var name = args[i].StartsWith("--", StringComparison.Ordinal) ? args[i][2..] : args[i];
            if (!Options.TryGetValue(name, out var apply))
                throw new ArgumentException($"Unknown option {args[i]}; expected one of --{string.Join(", --", Options.Keys)}.");
            if (i + 1 == args.Count) throw new ArgumentException($"Option {args[i]} has no value.");
            settings = apply(settings, args[i + 1]);
        }

        var deadlines = settings.Deadlines;
        if (settings.Redis is { } redis) RedisConnection.Options(redis, deadlines);
        return settings;
    }

    /// <summary>Every option's name; its environment variable is GENSLM_ and the name in capitals, - as _.</summary>
    public static IEnumerable<string> OptionNames => Options.Keys;

    private static readonly ImmutableSortedDictionary<string, Func<SiloSettings, string, SiloSettings>> Options =
        new Dictionary<string, Func<SiloSettings, string, SiloSettings>>(StringComparer.Ordinal)
        {
            ["name"] = (settings, value) => settings with { Name = value },
            ["silo-port"] = (settings, value) => settings with { SiloPort = Port("silo-port", value) },
            ["gateway-port"] = (settings, value) => settings with { GatewayPort = Port("gateway-port", value) },
            ["http-port"] = (settings, value) => settings with { HttpPort = Port("http-port", value) },
            ["tensor-port"] = (settings, value) => settings with { TensorPort = Port("tensor-port", value) },
            ["tensor-channel"] = (settings, value) => settings with { HasTensorChannel = IsOn("tensor-channel", value) },
            ["primary"] = (settings, value) => settings with { Primary = EndPoint("primary", value) },
            ["redis"] = (settings, value) => settings with { Redis = value },
            ["cluster"] = (settings, value) => settings with { Cluster = value },
            ["address"] = (settings, value) => settings with { Address = IPAddressOf("address", value) },
            ["failure-detection"] = (settings, value) => settings with { FailureDetection = Seconds("failure-detection", value, 0.5, 60) },
            ["drain-timeout"] = (settings, value) => settings with { DrainTimeout = Seconds("drain-timeout", value, 1, 3600) },
            ["devices"] = (settings, value) => settings with { Devices = [.. value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)] },
            ["silos-here"] = (settings, value) => settings with { SilosHere = Count("silos-here", value) },
            ["memory"] = (settings, value) => settings with { MemoryBytes = Memory("memory", value) },
            ["cache"] = (settings, value) => settings with { CacheFolder = value },
            ["starts-aside"] = (settings, value) => settings with { StartsAside = IsOn("starts-aside", value) },
            ["ends-with-parent"] = (settings, value) => settings with { EndsWithParent = value == "true" },
        }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    private static int Port(string option, string value) =>
        int.TryParse(value, out int port) && port is > 0 and < 65536
            ? port
            : throw new ArgumentException($"--{option} is '{value}'; expected a port from 1 to 65535.");

    private static bool IsOn(string option, string value) => value switch
    {
        "on" => true,
        "off" => false,
        _ => throw new ArgumentException($"--{option} is '{value}'; expected on or off."),
    };

    private static int Count(string option, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
            ? count
            : throw new ArgumentException($"--{option} is '{value}'; expected a whole number, at least 1.");

    private static long Memory(string option, string value) =>
        MemorySize.TryParse(value, out long bytes)
            ? bytes
            : throw new ArgumentException($"--{option} is '{value}'; expected {MemorySize.Expected}.");

    private static IPAddress IPAddressOf(string option, string value) =>
        IPAddress.TryParse(value, out var address)
            ? address
            : throw new ArgumentException($"--{option} is '{value}'; expected an IP address.");

    private static TimeSpan Seconds(string option, string value, double smallest, double largest) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) && seconds >= smallest && seconds <= largest
            ? TimeSpan.FromSeconds(seconds)
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"--{option} is '{value}'; expected seconds from {smallest} to {largest}."));

    private static IPEndPoint EndPoint(string option, string value) =>
        IPEndPoint.TryParse(value, out var endPoint) && endPoint.Port > 0
            ? endPoint
            : throw new ArgumentException($"--{option} is '{value}'; expected ADDRESS:PORT.");
}
