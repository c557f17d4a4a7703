using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A silo's program as it is started without a console, with places at which something may be held (the console keeps those from the silos that it starts).</summary>
internal sealed class LoneSilo : IDisposable
{
    private readonly Process _process;

    /// <param name="faults">The folder in which it looks for what is held.</param>
    /// <param name="arguments">Its arguments but for the ports.</param>
    public LoneSilo(string faults, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        string[] ports = ["--silo-port", FreePort(), "--gateway-port", FreePort(), "--http-port", FreePort()];
        foreach (var argument in (string[])[GenSlmConsole.Program("Silo"), .. arguments, .. ports]) start.ArgumentList.Add(argument);
        start.Environment["GENSLM_FAULT_POINTS"] = faults;
        Gateway = $"127.0.0.1:{ports[3]}";
        _process = Process.Start(start)!;
        Output = _process.StandardOutput.ReadToEndAsync();
        _process.BeginErrorReadLine();
    }

    /// <summary>Where consoles find it.</summary>
    public string Gateway { get; }

    /// <summary>All that it has printed, when it has ended.</summary>
    public Task<string> Output { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Its exit code, when it has ended.</summary>
    public async Task<int> EndAsync(CancellationToken cancellation)
    {
        await _process.WaitForExitAsync(cancellation);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    private static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
