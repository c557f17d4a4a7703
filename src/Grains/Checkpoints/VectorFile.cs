using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Reads blocks of one vector from a file of tensors in any order.</summary>
internal sealed class VectorFile : IDisposable
{
    private readonly WeightFile _file;
    private readonly ParameterLayout _layout;
    private readonly int[] _tensorOfSlot;
    private readonly long _firstElement;
    private readonly long _endElement;

    private VectorFile(WeightFile file, ParameterLayout layout, int[] tensorOfSlot, long firstElement, long endElement) =>
        (_file, _layout, _tensorOfSlot, _firstElement, _endElement) = (file, layout, tensorOfSlot, firstElement, endElement);

    /// <summary>Weights from anywhere: every parameter of the architecture must be in the file, under a name that is recognised.</summary>
    /// <exception cref="WeightFileException">The file is not sound, or its tensors are another architecture's.</exception>
    public static VectorFile OpenWeights(string path, RunPlan plan)
    {
        var file = WeightFile.Open(path);
        try
        {
            var match = StateDictNames.Match(file.Tensors, GptNeoXStateDict.Describe(plan.Config), path);
            return new VectorFile(file, plan.Layout, [.. match.FileTensors], 0, plan.Layout.ParameterCount);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>A part of one of our checkpoints; its hash is checked first.</summary>
    /// <exception cref="WeightFileException">The part is damaged; the message names it.</exception>
    public static VectorFile OpenPart(string folder, CheckpointPart part, ParameterLayout layout)
    {
        var path = Path.Combine(folder, part.File);
        var found = Xxh3.TextOf(Xxh3.OfFile(path));
        if (found != part.Xxh3) throw new WeightFileException($"{path} has XXH3 {found}, but the manifest says {part.Xxh3}; the checkpoint is damaged.");
        var file = WeightFile.Open(path);
        var tensors = new int[layout.Slots.Count];
        int first = layout.SlotAt(part.FirstElement).Index;
        for (int i = 0; i < file.Tensors.Count; i++) tensors[first + i] = i;
        return new VectorFile(file, layout, tensors, part.FirstElement, part.FirstElement + part.ElementCount);
    }

    /// <summary>Copies what this file has of elements <paramref name="offset"/>… of the flat vector.</summary>
    public void Read(long offset, Span<float> destination)
    {
        long end = Math.Min(offset + destination.Length, _endElement);
        for (long place = Math.Max(offset, _firstElement); place < end;)
        {
            var slot = _layout.SlotAt(place);
            int count = (int)(Math.Min(end, slot.Offset + slot.Count) - place);
            _file.ReadFloat32(_tensorOfSlot[slot.Index], place - slot.Offset, destination.Slice((int)(place - offset), count));
            place += count;
        }
    }

    public void Dispose() => _file.Dispose();
}
