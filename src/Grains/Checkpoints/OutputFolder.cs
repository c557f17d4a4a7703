using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Who has an output folder: the content of the file beside its lock.</summary>
/// <param name="Instance">The run, as distinct from any other that was ever started.</param>
/// <param name="Generation">Its driver.</param>
public sealed record FolderOwner(string Instance, long Generation);

/// <summary>
/// A run's output folder: its lock, <c>run.json</c> and <c>metrics.jsonl</c>. The lock is the operating system's, on an
/// open file, so that it ends with the silo however the silo ends. A later driver of the same run takes it by putting
/// another file in its place: a silo that was stopped and goes on holds the lock of a file that is gone, and sees so.
/// </summary>
public sealed class OutputFolder : IDisposable
{
    private const string LockName = ".lock";
    private const string OwnerName = ".owner";

    private readonly FileStream _lock;
    private readonly string _path;
    private readonly FolderOwner _owner;
    private long _lastStep;
    private long _lastValidation;

    private OutputFolder(string path, FolderOwner owner, FileStream @lock, bool isSameRun)
    {
        _path = path;
        _owner = owner;
        _lock = @lock;
        IsSameRun = isSameRun;
    }

    /// <summary>Whether an earlier driver of the same run had the folder: what is in it is this run's.</summary>
    public bool IsSameRun { get; }

    public string RunFile => Path.Combine(_path, "run.json");

    public string MetricsFile => Path.Combine(_path, "metrics.jsonl");

    /// <summary>Creates the folder where needed and takes it.</summary>
    /// <exception cref="RunInputException">Another live run has it, or it cannot be written to.</exception>
    /// <exception cref="SupersededException">A later driver of the same run has it.</exception>
    public static OutputFolder Take(string path, FolderOwner owner)
    {
        try
        {
            Directory.CreateDirectory(path);
            var file = Path.Combine(path, LockName);
            if (OwnerOf(path) is { } before && before.Instance == owner.Instance)
            {
                if (before.Generation > owner.Generation) throw new SupersededException($"Generation {before.Generation} of the run has taken {path} over from generation {owner.Generation}.");
                return new OutputFolder(path, owner, Replace(path, owner), isSameRun: true);
            }

            using (new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None)) return new OutputFolder(path, owner, Replace(path, owner), isSameRun: false);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new RunInputException($"The output folder {path} cannot be written to: {exception.Message}");
        }
        catch (IOException exception) when (!DiskFull.Is(exception))
        {
            throw new RunInputException(File.Exists(Path.Combine(path, LockName))
                ? $"The output folder {path} is in use by a live run; choose another --output or wait until it ends."
                : $"The output folder {path} cannot be created: {exception.Message}");
        }
    }

    /// <summary>Makes sure that no later driver has taken the folder.</summary>
    /// <exception cref="SupersededException">One has.</exception>
    public void CheckOwned()
    {
        if (OwnerOf(_path) != _owner) throw new SupersededException($"The output folder {_path} is no longer generation {_owner.Generation}'s.");
    }

    /// <summary>Writes run.json: the spec, which is itself a valid run file, and what it was resolved to.</summary>
    public void WriteRunFile(string runId, RunSubmission submission, DataSummary data)
    {
        var run = JsonSerializer.SerializeToNode(submission.Spec, RunSpec.JsonOptions)!.AsObject();
        run["resolved"] = new JsonObject
        {
            ["runId"] = runId,
            ["modelConfig"] = JsonNode.Parse(submission.ModelConfig),
            ["dataHash"] = data.Hash,
            ["records"] = data.RecordCount,
            ["validationRecords"] = data.ValidationRecords,
            ["testRecords"] = data.TestRecords,
            ["deviceFingerprint"] = submission.DeviceFingerprint,
            ["version"] = typeof(OutputFolder).Assembly.GetName().Version?.ToString(3),
        };
        AtomicFile.Write(RunFile, stream =>
        {
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = RunSpec.JsonOptions.Encoder });
            run.WriteTo(writer, RunSpec.JsonOptions);
        });
    }

    /// <summary>The run.json that the run began with; null when there is none.</summary>
    public JsonObject? ReadRunFile() => File.Exists(RunFile) ? JsonNode.Parse(File.ReadAllBytes(RunFile)) as JsonObject : null;

    /// <summary>Drops metrics after <paramref name="step"/> and a line that a crash cut off: the run will write them again.</summary>
    public void CutMetrics(long step)
    {
        CheckOwned();
        (_lastStep, _lastValidation) = (0, 0);
        if (!File.Exists(MetricsFile)) return;
        var kept = new List<string>();
        foreach (var line in File.ReadLines(MetricsFile))
        {
            if (MetricLine.FromJson(line) is not { } metric || metric.Step > step) continue;
            kept.Add(line);
            Remember(metric);
        }

        AtomicFile.Write(MetricsFile, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            foreach (var line in kept) writer.WriteLine(line);
            // Somebody may have taken over while it was written.
            CheckOwned();
        });
    }

    /// <summary>Appends a line, unless its step has one: a driver that takes over says again what may not have been written.</summary>
    public void AppendMetric(MetricLine line)
    {
        CheckOwned();
        if (line.Step <= (line.Kind == "step" ? _lastStep : _lastValidation)) return;
        using (var file = new FileStream(MetricsFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0))
        {
            long end = file.Position;
            try
            {
                file.Write(Encoding.UTF8.GetBytes(line.ToJson() + "\n"));
            }
            catch (IOException)
            {
                // Half a line must not stay before the next.
                file.SetLength(end);
                throw;
            }
        }

        Remember(line);
    }

    private void Remember(MetricLine line)
    {
        if (line.Kind == "step") _lastStep = line.Step;
        else _lastValidation = line.Step;
    }

    private static FileStream Replace(string path, FolderOwner owner)
    {
        var @lock = AtomicFile.ReplaceAndHold(Path.Combine(path, LockName), _ => { });
        try
        {
            AtomicFile.Write(Path.Combine(path, OwnerName), stream => JsonSerializer.Serialize(stream, owner));
            return @lock;
        }
        catch
        {
            @lock.Dispose();
            throw;
        }
    }

    private static FolderOwner? OwnerOf(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<FolderOwner>(File.ReadAllBytes(Path.Combine(path, OwnerName)));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    public void Dispose() => _lock.Dispose();
}
