using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>The run that a class' tests compare theirs with, left alone on one silo: trained once for all of them.</summary>
public sealed class UndisturbedRun : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private Task<JsonElement>? _summary;

    /// <summary>Its output folder.</summary>
    public string Output => _folder.File("whole");

    /// <summary>Trains it, the first time; what it printed.</summary>
    /// <param name="settings">The same each time.</param>
    public Task<JsonElement> TrainAsync(params string[] settings) => _summary ??= GenSlmConsole.TrainAsync([.. settings, "--output", Output]);

    public void Dispose() => _folder.Dispose();
}
