using System.Collections.Immutable;
using System.Text.Json;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Local;

/// <summary>
/// The processes of the cluster that 'genslm up' started on this machine, and those that joined it, as a file of the cache
/// folder tells. There is one at a time.
/// </summary>
/// <param name="Name">The cluster's name.</param>
/// <param name="Redis">Where it keeps membership and state.</param>
/// <param name="Garnet">The process that keeps it; null where the server is the user's.</param>
/// <param name="Silos">Its silos, dead ones included.</param>
internal sealed record StandingCluster(string Name, string Redis, KnownProcess? Garnet, ImmutableArray<StandingSilo> Silos)
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, IgnoreReadOnlyProperties = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>The folder of its file, logs and data.</summary>
    public static string Folder { get; } = Path.Combine(CacheFolder.Path, "cluster");

    /// <summary>Where Garnet keeps its data from one start to the next.</summary>
    public static string DataFolder { get; } = Path.Combine(Folder, "redis");

    private static string FilePath { get; } = Path.Combine(Folder, "cluster.json");

    /// <summary>Whether one of its processes is alive.</summary>
    public bool IsUp => Garnet is { IsAlive: true } || Silos.Any(silo => silo.Process.IsAlive);

    /// <summary>The silos whose processes are alive.</summary>
    public IEnumerable<StandingSilo> LiveSilos => Silos.Where(silo => silo.Process.IsAlive);

    /// <summary>The cluster that is up; null if none is.</summary>
    /// <exception cref="UsageException">The file is not what 'genslm up' writes.</exception>
    public static StandingCluster? Find()
    {
        if (!File.Exists(FilePath)) return null;
        try
        {
            var cluster = JsonSerializer.Deserialize<StandingCluster>(File.ReadAllBytes(FilePath), Options);
            return cluster is { Silos.IsDefault: false, IsUp: true } ? cluster : null;
        }
        catch (JsonException exception)
        {
            throw new UsageException($"{FilePath} is not what 'genslm up' writes there: {exception.Message.ReplaceLineEndings(" ")} Remove it once its processes have ended.");
        }
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    public void Save() => AtomicFile.Write(FilePath, stream => JsonSerializer.Serialize(stream, this, Options));

    /// <summary>There is no cluster any more.</summary>
    public static void Remove() => File.Delete(FilePath);

    /// <summary>Keeps other consoles from changing the cluster until the result is disposed.</summary>
    /// <exception cref="UsageException">Another console is changing it.</exception>
    public static IDisposable Lock()
    {
        Directory.CreateDirectory(Folder);
        try
        {
            return new FileStream(Path.Combine(Folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new UsageException($"Another console is starting or stopping the cluster of {Folder}; wait until it is done.");
        }
    }
}

/// <summary>A silo of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Process">Its process.</param>
/// <param name="Ports">Where it listens.</param>
internal sealed record StandingSilo(string Name, KnownProcess Process, SiloPorts Ports);
