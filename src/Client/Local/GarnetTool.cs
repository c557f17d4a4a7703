using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace GenSlmOrleans.Client.Local;

/// <summary>
/// Where Garnet's program is: the .NET tool garnet-server, in the version of .config/dotnet-tools.json, restored when it is
/// first needed. Its .dll is started directly, so that there is one process to end and not a launcher's child.
/// </summary>
internal static class GarnetTool
{
    private const string Tool = "garnet-server";
    private const string Otherwise = "or name a Redis server of yours by GENSLM_REDIS=HOST:PORT.";

    /// <summary>The path of GarnetServer.dll.</summary>
    /// <exception cref="ClusterException">It is not there and cannot be restored.</exception>
    public static async Task<string> LocateAsync(CancellationToken cancellation)
    {
        var manifest = Manifest();
        var version = Version(manifest);
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var folder = Path.Combine(packages, Tool, version, "tools");
        if (Find(folder) is { } there) return there;
        await Console.Error.WriteLineAsync($"restoring {Tool} {version} (once)…");
        var errors = await RestoreAsync(manifest, cancellation);
        return Find(folder) ?? throw new ClusterException($"{Tool} {version} could not be restored to {folder}: {errors.Trim()} Run 'dotnet tool restore', {Otherwise}");
    }

    // In the source tree, some folders above the build output.
    private static string Manifest()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, ".config", "dotnet-tools.json");
            if (File.Exists(candidate)) return candidate;
        }

        throw new ClusterException($"There is no .config/dotnet-tools.json above {AppContext.BaseDirectory} to restore {Tool} with; run genslm from its source tree, {Otherwise}");
    }

    private static string Version(string manifest)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(manifest))?["tools"]?[Tool]?["version"]?.GetValue<string>()
                ?? throw new ClusterException($"{manifest} names no {Tool}; expected one with a version.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ClusterException($"{manifest} is not a tool manifest: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }

    // The package holds a second one, further down, for machines without its native libraries.
    private static string? Find(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder, "GarnetServer.dll", SearchOption.AllDirectories).MinBy(path => path.Length)
        : null;

    private static async Task<string> RestoreAsync(string manifest, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(ChildProcess.DotnetPath(), ["tool", "restore", "--tool-manifest", manifest])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(Path.GetDirectoryName(manifest)!)!,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode == 0 ? await output : await errors;
    }
}
