using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// A run's output folder: its lock, <c>run.json</c> and <c>metrics.jsonl</c>. The lock is the operating system's, on an
/// open file, so that it ends with the silo however the silo ends.
/// </summary>
public sealed class OutputFolder : IDisposable
{
    private const string LockName = ".lock";

    private readonly FileStream _lock;
    private readonly string _path;

    private OutputFolder(string path, FileStream @lock)
    {
        _path = path;
        _lock = @lock;
    }

    public string RunFile => Path.Combine(_path, "run.json");

    public string MetricsFile => Path.Combine(_path, "metrics.jsonl");

    /// <summary>Creates the folder where needed and takes it.</summary>
    /// <exception cref="RunInputException">Another live run has it, or it cannot be written to.</exception>
    public static OutputFolder Take(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
            return new OutputFolder(path, new FileStream(
                Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new RunInputException($"The output folder {path} cannot be written to: {exception.Message}");
        }
        catch (IOException exception)
        {
            throw new RunInputException(File.Exists(Path.Combine(path, LockName))
                ? $"The output folder {path} is in use by a live run; choose another --output or wait until it ends."
                : $"The output folder {path} cannot be created: {exception.Message}");
        }
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
        if (!File.Exists(MetricsFile)) return;
        var kept = File.ReadLines(MetricsFile).Where(line => MetricLine.FromJson(line) is { } metric && metric.Step <= step).ToArray();
        AtomicFile.Write(MetricsFile, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            foreach (var line in kept) writer.WriteLine(line);
        });
    }

    public void AppendMetric(MetricLine line) => File.AppendAllText(MetricsFile, line.ToJson() + "\n");

    public void Dispose() => _lock.Dispose();
}
