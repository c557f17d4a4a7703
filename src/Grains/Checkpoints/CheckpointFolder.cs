using System.Globalization;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// The folder <c>checkpoints</c> of a run's output. The folders in it say all there is to know: each is whole or not
/// there, and best and last follow from their manifests, so there is no index that could disagree.
/// </summary>
public sealed class CheckpointFolder(string output)
{
    /// <summary>The folder <c>checkpoints</c>.</summary>
    public string FullPath { get; } = Path.Combine(output, "checkpoints");

    /// <summary>All whole checkpoints. What a crashed writer left half done is removed.</summary>
    public List<CheckpointEntry> ListAndTidy()
    {
        if (Directory.Exists(FullPath)) AtomicFolder.RemoveLeftovers(FullPath);
        return List();
    }

    /// <summary>All whole checkpoints, oldest first.</summary>
    public List<CheckpointEntry> List()
    {
        if (!Directory.Exists(FullPath)) return [];
        return [.. Directory.EnumerateDirectories(FullPath)
            .Select(folder => (Name: Path.GetFileName(folder), Manifest: CheckpointManifest.Read(folder)))
            .Select(found => new CheckpointEntry(found.Name, found.Manifest.Step, found.Manifest.ValidationLoss))
            .OrderBy(entry => entry.Step)];
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
        var name = $"{prefix}-{epoch:00}-{tail}";
        var candidate = name;
        for (int version = 1; Directory.Exists(Path.Combine(FullPath, candidate)); version++) candidate = $"{name}-v{version}";
        return candidate;
    }

    /// <summary>Removes a checkpoint: first its name, then its files, so that no reader sees half of one.</summary>
    public void Remove(CheckpointEntry entry) => AtomicFolder.Remove(PathOf(entry));
}
