using System.Globalization;
using System.Net.Sockets;
using GenSlmOrleans.Testing;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>A Redis server with the command line and the configuration of its pod, in a folder and at a port of a test's.</summary>
internal sealed class RedisPod : IDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(30);

    private readonly ChildProcess _process;

    private RedisPod(ChildProcess process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    /// <summary>Starts the server; null where there is no redis-server.</summary>
    public static async Task<RedisPod?> StartAsync(Overlay overlay, TemporaryFolder folder)
    {
        var command = Assert.Single(overlay.Of<V1StatefulSet>().Single().Spec.Template.Spec.Containers).Command;
        var configuration = overlay.Of<V1ConfigMap>().Single(map => map.Data.ContainsKey(Path.GetFileName(command[1]))).Data.Values.Single();
        var file = folder.File("redis.conf");
        await File.WriteAllTextAsync(file, configuration.Replace("dir /data", $"dir {folder.Path}"), TestContext.Current.CancellationToken);
        int port = HealthTests.FreePort();
        var arguments = command.Skip(2).Select(argument => argument.Replace("$(REDISCLI_AUTH)", PodEnvironment.Password));
        string[] own = ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1"];
        if (ChildProcess.TryStart(command[0], [file, .. arguments, .. own]) is not { } process) return null;
        var redis = new RedisPod(process, port);
        await process.UntilAsync(async () => await redis.AskAsync("PING") == "+PONG", StartTime);
        return redis;
    }

    /// <summary>The answer to a command, without the closing line end; null while nobody answers.</summary>
    public async Task<string?> AskAsync(string command, string? password = PodEnvironment.Password)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync("127.0.0.1", Port, TestContext.Current.CancellationToken);
        }
        catch (SocketException)
        {
            return null;
        }

        using var stream = client.GetStream();
        using var writer = new StreamWriter(stream) { NewLine = "\r\n", AutoFlush = true };
        using var reader = new StreamReader(stream);
        if (password is not null)
        {
            await writer.WriteLineAsync($"AUTH {password}");
            Assert.Equal("+OK", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        }

        await writer.WriteLineAsync(command);
        var line = await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        // "$3" announces a value of three bytes.
        return line is ['$', not '-', ..] ? await reader.ReadLineAsync(TestContext.Current.CancellationToken) : line;
    }

    /// <summary>Ends the server with SIGKILL.</summary>
    public void Dispose() => _process.Dispose();
}
