using System.Globalization;
using System.Net;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// A network of the silos' own, of which parts can be taken away: each silo in a network namespace, all of them at one bridge. Two
/// that are parted send each other's frames to an address that nobody has: they vanish without an answer, as in a network that is
/// broken. Everybody still reaches everybody else. It takes root's rights and the command 'ip'.
/// </summary>
internal sealed class SiloNetwork : IAsyncDisposable
{
    private const string Nobody = "02:00:00:00:00:01";
    private const string Device = "eth0";
    private const int FirstHost = 10;

    // More than passes at 10 Gbit/s between two ticks of the kernel's clock, and little beside what is sent.
    private const string LimitBurst = "2mb";

    // Consoles side by side have networks of their own; a device's name has 15 letters at most.
    private readonly string _bridge = string.Create(CultureInfo.InvariantCulture, $"gc{Environment.ProcessId}");
    private readonly string _subnet = string.Create(CultureInfo.InvariantCulture, $"10.{200 + (Environment.ProcessId / 250 % 50)}.{Environment.ProcessId % 250}");
    private readonly int _places;

    private SiloNetwork(int places) => _places = places;

    /// <summary>Where the bridge, and with it this console, is reached.</summary>
    public IPAddress Host => IPAddress.Parse($"{_subnet}.1");

    /// <summary>Why there can be none; null when there can.</summary>
    /// <param name="megabitsPerSecond">To what its silos are to be limited; null: they are not.</param>
    public static async Task<string?> ObstacleAsync(int? megabitsPerSecond = null)
    {
        try
        {
            await using var network = await OpenAsync(places: 1);
            if (megabitsPerSecond is { } rate) await network.LimitAsync(place: 0, rate);
            return null;
        }
        catch (IOException exception)
        {
            return $"a network of the silos' own cannot be made ({exception.Message}); as root, with iproute2 installed, it can";
        }
    }

    /// <summary>Makes the network.</summary>
    /// <exception cref="IOException">The system refuses.</exception>
    public static async Task<SiloNetwork> OpenAsync(int places)
    {
        var network = new SiloNetwork(places);
        try
        {
            await network.MakeAsync();
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    /// <summary>The address of the silo numbered <paramref name="place"/>.</summary>
    public string Address(int place) => string.Create(CultureInfo.InvariantCulture, $"{_subnet}.{FirstHost + place}");

    /// <summary>What a command begins with that is to be in that silo's place.</summary>
    public string[] Prefix(int place) => ["nsenter", $"--net=/run/netns/{Namespace(place)}"];

    /// <summary>Two silos do not reach each other any more.</summary>
    public async Task PartAsync(string one, string other)
    {
        await PartOneWayAsync(Place(one), Place(other));
        await PartOneWayAsync(Place(other), Place(one));
    }

    /// <summary>They do again.</summary>
    public async Task JoinAsync(string one, string other)
    {
        await IpAsync("-n", Namespace(Place(one)), "neigh", "del", Address(Place(other)), "dev", Device);
        await IpAsync("-n", Namespace(Place(other)), "neigh", "del", Address(Place(one)), "dev", Device);
    }

    /// <summary>What a silo sends goes no faster than this. It takes the command 'tc' as well.</summary>
    /// <param name="place">The silo's number.</param>
    /// <param name="megabitsPerSecond">The rate, headers of the packets included.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public Task LimitAsync(int place, int megabitsPerSecond) => SystemCommand.RunAsync(
        "tc", "-n", Namespace(place), "qdisc", "add", "dev", Device, "root", "tbf",
        "rate", string.Create(CultureInfo.InvariantCulture, $"{megabitsPerSecond}mbit"), "burst", LimitBurst, "latency", "50ms");

    private Task PartOneWayAsync(int from, int to) =>
        IpAsync("-n", Namespace(from), "neigh", "replace", Address(to), "lladdr", Nobody, "nud", "permanent", "dev", Device);

    private async Task MakeAsync()
    {
        await IpAsync("link", "add", _bridge, "type", "bridge");
        await IpAsync("addr", "add", $"{_subnet}.1/24", "dev", _bridge);
        await IpAsync("link", "set", _bridge, "up");
        for (int place = 0; place < _places; place++)
        {
            var (silo, cable) = (Namespace(place), Cable(place));
            await IpAsync("netns", "add", silo);
            await IpAsync("link", "add", cable, "type", "veth", "peer", "name", Device, "netns", silo);
            await IpAsync("link", "set", cable, "master", _bridge, "up");
            await IpAsync("-n", silo, "link", "set", "lo", "up");
            await IpAsync("-n", silo, "addr", "add", $"{Address(place)}/24", "dev", Device);
            await IpAsync("-n", silo, "link", "set", Device, "up");
        }
    }

    private string Namespace(int place) => string.Create(CultureInfo.InvariantCulture, $"{_bridge}-{place}");

    private string Cable(int place) => string.Create(CultureInfo.InvariantCulture, $"{_bridge}v{place}");

    private static int Place(string silo) => int.Parse(silo[(silo.LastIndexOf('-') + 1)..], CultureInfo.InvariantCulture);

    private static Task IpAsync(params string[] arguments) => SystemCommand.RunAsync("ip", arguments);

    /// <summary>Takes all of it away.</summary>
    public async ValueTask DisposeAsync()
    {
        for (int place = 0; place < _places; place++)
        {
            // By hand: a namespace lives on, and its end of the cable with it, for as long as the kernel has something to send to one that is parted from it.
            await UnlessMissingAsync("link", "del", Cable(place));
            await UnlessMissingAsync("netns", "del", Namespace(place));
        }

        await UnlessMissingAsync("link", "del", _bridge);
    }

    private static async Task UnlessMissingAsync(params string[] arguments)
    {
        try
        {
            await IpAsync(arguments);
        }
        catch (IOException)
        {
            // It was never made.
        }
    }
}
