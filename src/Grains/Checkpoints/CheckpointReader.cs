using System.Collections.Immutable;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// A checkpoint, open for reading: each part was hashed once, when it was opened, and its file stays open, so that what is
/// read is what was verified. Safe to read from several threads.
/// </summary>
internal sealed class CheckpointReader : IDisposable
{
    private readonly List<(BlockKind Kind, VectorFile File)> _files = [];

    private CheckpointReader(string path, CheckpointManifest manifest) => (FullPath, Manifest) = (path, manifest);

    /// <summary>The checkpoint's folder.</summary>
    public string FullPath { get; }

    public CheckpointManifest Manifest { get; }

    /// <summary>Opens the parts of some vectors after comparing their hashes with the manifest's.</summary>
    /// <param name="path">The checkpoint's folder.</param>
    /// <param name="kinds">Which vectors.</param>
    /// <exception cref="WeightFileException">Something is missing or damaged; the message names the file.</exception>
    public static CheckpointReader Open(string path, params ReadOnlySpan<BlockKind> kinds)
    {
        var reader = new CheckpointReader(path, CheckpointManifest.Read(path));
        try
        {
            foreach (var kind in kinds) reader.OpenVector(kind);
            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Opens all that a run needs to go on from a checkpoint.</summary>
    /// <param name="path">The checkpoint's folder.</param>
    /// <param name="plan">The run's.</param>
    /// <exception cref="WeightFileException">Something is missing or damaged, or it is another model's; the message names the file.</exception>
    public static CheckpointReader Open(string path, RunPlan plan)
    {
        var reader = Open(path, Enum.GetValues<BlockKind>());
        if (reader.Manifest.ParameterCount == plan.Layout.ParameterCount) return reader;
        reader.Dispose();
        throw Damaged(path, $"is of {reader.Manifest.ParameterCount} parameters; the model has {plan.Layout.ParameterCount}");
    }

    /// <summary>What the manifest says of the run.</summary>
    /// <exception cref="WeightFileException">It cannot be read.</exception>
    public static TrainingProgress Progress(string path, CheckpointManifest manifest)
    {
        try
        {
            return CheckpointFolder.Progress(manifest);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw Damaged(path, "does not say how far the run had come");
        }
    }

    /// <summary>Reads elements <paramref name="offset"/>… of a vector that was opened.</summary>
    public void Read(BlockKind kind, long offset, Span<float> destination)
    {
        foreach (var (held, file) in _files)
            if (held == kind) file.Read(offset, destination);
    }

    public void Dispose()
    {
        foreach (var (_, file) in _files) file.Dispose();
    }

    private void OpenVector(BlockKind kind)
    {
        var name = CheckpointWriter.VectorName(kind);
        ImmutableArray<CheckpointPart> all = Manifest.Parts.IsDefault ? [] : Manifest.Parts;
        var parts = all.Where(part => part?.Vector == name).OrderBy(part => part.FirstElement).ToArray();
        long next = 0;
        foreach (var part in parts)
        {
            if (part.File is not { Length: > 0 } || part.FirstElement != next || part.ElementCount <= 0) break;
            next += part.ElementCount;
        }

        if (next != Manifest.ParameterCount || next == 0) throw Damaged(FullPath, $"names parts for {next} elements of {name}; expected {Manifest.ParameterCount}, without a gap");
        foreach (var part in parts) _files.Add((kind, VectorFile.OpenPart(FullPath, part)));
    }

    private static WeightFileException Damaged(string path, string what) =>
        new($"{Path.Combine(path, CheckpointManifest.FileName)} {what}; the checkpoint is damaged.");
}
