using System.Globalization;
using System.Runtime.CompilerServices;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A place in the silos' work at which the first that comes by stays, for three minutes at most, until it is released.</summary>
internal sealed class HeldPhase : IDisposable
{
    private static readonly TemporaryFolder Folder = new();

    private readonly string _armed;

    /// <param name="phase">The place, as its file is named.</param>
    /// <param name="step">The step from which on it counts.</param>
    /// <param name="order">What else is to happen there.</param>
    public HeldPhase(string phase, long step, string order = "wait 180")
    {
        _armed = Folder.File($"{Environment.ProcessId}.{phase}");
        File.Delete($"{_armed}.reached");
        File.WriteAllText(_armed, string.Create(CultureInfo.InvariantCulture, $"{step} {order}"));
    }

    /// <summary>Silos look for such places only if they are told to when their process begins.</summary>
    [ModuleInitializer]
    internal static void Allow() => Environment.SetEnvironmentVariable("GENSLM_FAULT_POINTS", Folder.Path);

    /// <summary>Completes when somebody stays there.</summary>
    public Task ReachedAsync() => TestCluster.UntilAsync(() => Task.FromResult(File.Exists($"{_armed}.reached")), reached => reached, "somebody to come by");

    /// <summary>Whether whoever came by is still there.</summary>
    public bool IsHeld => File.Exists(_armed) && File.Exists($"{_armed}.reached");

    public void Release() => File.Delete(_armed);

    public void Dispose() => Release();
}
