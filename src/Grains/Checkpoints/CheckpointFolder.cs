using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>A checkpoint that cannot be gone on from.</summary>
/// <param name="Name">Its folder's name.</param>
/// <param name="Reason">A sentence that names the file.</param>
internal sealed record DamagedCheckpoint(string Name, string Reason);

/// <summary>
/// The folder <c>checkpoints</c> of a run's output. The folders in it say all there is to know: each is whole or not
/// there, and best and last follow from their manifests, so there is no index that could disagree. One that a disk has
/// damaged since is set aside, in the folder <c>damaged</c> beside it.
/// </summary>
public sealed class CheckpointFolder(string output)
{
    /// <summary>The folder <c>checkpoints</c>.</summary>
    public string FullPath { get; } = Path.Combine(output, "checkpoints");

    /// <summary>All checkpoints whose manifest can be read, oldest first.</summary>
    public ImmutableArray<CheckpointEntry> List() => List(out _);

    /// <summary>The same; and those whose manifest cannot be read.</summary>
    internal ImmutableArray<CheckpointEntry> List(out ImmutableArray<DamagedCheckpoint> damaged)
    {
        var (whole, broken) = (new List<CheckpointEntry>(), ImmutableArray.CreateBuilder<DamagedCheckpoint>());
        // What is being written or removed is hidden.
        foreach (var folder in Directory.Exists(FullPath) ? Directory.GetDirectories(FullPath).Where(path => Path.GetFileName(path)[0] != '.') : [])
        {
            var name = Path.GetFileName(folder);
            try
            {
                var manifest = CheckpointManifest.Read(folder);
                CheckpointReader.Progress(folder, manifest);
                whole.Add(new CheckpointEntry(name, manifest.Step, manifest.ValidationLoss));
            }
            catch (Exception exception) when (exception is WeightFileException or IOException or UnauthorizedAccessException)
            {
                broken.Add(new DamagedCheckpoint(name, exception.Message));
            }
        }

        damaged = broken.ToImmutable();
        return [.. whole.OrderBy(entry => entry.Step)];
    }

    /// <summary>Removes what a crashed writer left half done. Call it only while nothing is being written there.</summary>
    public void Tidy()
    {
        if (Directory.Exists(FullPath)) AtomicFolder.RemoveLeftovers(FullPath);
    }

    public string PathOf(CheckpointEntry entry) => Path.Combine(FullPath, entry.Name);

    public CheckpointManifest Manifest(CheckpointEntry entry) => CheckpointManifest.Read(PathOf(entry));

    /// <summary>What a checkpoint remembers of its run.</summary>
    public static TrainingProgress Progress(CheckpointManifest manifest) =>
        manifest.Progress.Deserialize<TrainingProgress>(RunSpec.JsonOptions) ?? new TrainingProgress { Step = manifest.Step };

    /// <summary>
    /// A free name: <c>{prefix}-{epoch:02d}-{val_loss:.2f}</c> as the script's ModelCheckpoint gives, the step in place of the
    /// loss when there is none, and <c>-v1</c>, <c>-v2</c>… when the name is taken.
    /// </summary>
    public string FreeName(string prefix, int epoch, long step, double? validationLoss)
    {
        var tail = validationLoss is { } loss ? loss.ToString("F2", CultureInfo.InvariantCulture) : $"step{step}";
        return FreeName(FullPath, $"{prefix}-{epoch:00}-{tail}");
    }

    /// <summary>Puts a damaged checkpoint where nobody goes on from it and nobody removes it; returns its new path.</summary>
    public string SetAside(string name)
    {
        var aside = Path.Combine(output, "damaged");
        Directory.CreateDirectory(aside);
        var path = Path.Combine(aside, FreeName(aside, name));
        Directory.Move(Path.Combine(FullPath, name), path);
        return path;
    }

    /// <summary>Removes a checkpoint: first its name, then its files, so that no reader sees half of one. One that is gone already is no error.</summary>
    public void Remove(CheckpointEntry entry)
    {
        if (Directory.Exists(PathOf(entry))) AtomicFolder.Remove(PathOf(entry));
    }

    private static string FreeName(string folder, string name)
    {
        var candidate = name;
        for (int version = 1; Directory.Exists(Path.Combine(folder, candidate)); version++) candidate = $"{name}-v{version}";
        return candidate;
    }
}
