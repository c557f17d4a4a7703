using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Fuzzing;

/// <summary>PyTorch's archives. The pickle is damaged with sound checksums around it; so are entries, records and bytes.</summary>
public sealed class TorchArchiveTarget : WeightTarget
{
    private readonly TorchFixture[] _fixtures = [WeightSeeds.Views(), WeightSeeds.Remembered()];

    /// <inheritdoc/>
    public override string Name => "torch";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
        TorchExtremes.Pickles.Select(extreme => (extreme.Name, (Func<FuzzInput>)(() => Input(ZipMutation.Write(_fixtures[0].Entries(extreme.Create()), zip64: true)))))
            .Concat(TorchExtremes.Archives.Select(extreme => (extreme.Name, (Func<FuzzInput>)(() => Input(extreme.Create())))));

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var fixture = _fixtures[random.Next(_fixtures.Length)];
        bool zip64 = random.Next(2) == 0;
        return Input(random.Next(20) switch
        {
            < 9 => ZipMutation.Write(fixture.Entries(PickleMutation.Mutate(random, fixture.Pickle)), zip64),
            < 11 => ZipMutation.Write(fixture.Entries(ByteMutation.Mutate(random, fixture.Pickle)), zip64),
            < 14 => ByteMutation.Mutate(random, Whole(fixture)),
            < 16 => ZipMutation.MutateRecord(random, Whole(fixture)),
            < 18 => ZipMutation.Write(MutateEntries(random, fixture), zip64),
            18 => ByteMutation.Splice(random, Whole(_fixtures[0]), Whole(_fixtures[1])),
            _ => ByteMutation.Splice(random, Whole(fixture), Whole(fixture)),
        });

        byte[] Whole(TorchFixture of) => ZipMutation.Write(of.Entries(of.Pickle), zip64);
    }

    /// <inheritdoc/>
    protected override void CheckContent(WeightFile file, FuzzInput input, Int128 bytes) =>
        // Views may add up to more than the file, within the limits that the reader states.
        FuzzFindingException.ThrowUnless(bytes <= 4 * (Int128)input.SizeBytes + (16 << 20), $"The tensors have {bytes} bytes.");

    private static FuzzInput Input(byte[] content) => new("damaged.pt", content);

    // An entry left out, there twice, under another name, or with more or less in it.
    private static List<(string Name, byte[] Content)> MutateEntries(Random random, TorchFixture fixture)
    {
        List<(string Name, byte[] Content)> entries = [.. fixture.Entries(fixture.Pickle), ("fixture/byteorder", "little"u8.ToArray())];
        int at = random.Next(entries.Count);
        var (name, content) = entries[at];
        switch (random.Next(6))
        {
            case 0: entries.RemoveAt(at); break;
            case 1: entries.Add(entries[at]); break;
            case 2: entries[at] = (entries[random.Next(entries.Count)].Name, content); break;
            case 3: entries[at] = (name.Insert(random.Next(name.Length), random.Next(3) switch { 0 => "/", 1 => "\0", _ => "../" }), content); break;
            case 4: entries[at] = (name, content[..random.Next(content.Length + 1)]); break;
            default: entries[at] = (name, [.. content, .. content]); break;
        }

        return entries;
    }
}

/// <summary>PyTorch's format from before 1.6: each of its pickles, the sizes before its storages, and all its bytes.</summary>
public sealed class LegacyTorchTarget : WeightTarget
{
    private readonly byte[][] _pickles;
    private readonly byte[] _storages;

    public LegacyTorchTarget()
    {
        var (value, storages) = WeightSeeds.Legacy();
        _pickles = LegacyTorchFixture.Pickles(value, [.. storages.Select(storage => storage.Key)]);
        _storages = LegacyTorchFixture.Contents(storages);
    }

    /// <inheritdoc/>
    public override string Name => "torch-legacy";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
        TorchExtremes.Pickles.Select(extreme => (extreme.Name, (Func<FuzzInput>)(() => Input([.. _pickles[..3].SelectMany(pickle => pickle), .. extreme.Create()]))));

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var pickles = _pickles.ToArray();
        // Mostly the value; the first tells what the file is, so it is damaged with all the rest.
        int which = random.Next(4) switch { 0 => 4, 1 => random.Next(1, 5), _ => 3 };
        switch (random.Next(10))
        {
            case < 6: pickles[which] = PickleMutation.Mutate(random, pickles[which]); break;
            case < 8: pickles[which] = ByteMutation.Mutate(random, pickles[which]); break;
            case 8: return Input(ByteMutation.Mutate(random, [.. pickles.SelectMany(pickle => pickle), .. _storages]));
            default: return Input([.. pickles.SelectMany(pickle => pickle), .. ByteMutation.Mutate(random, _storages)]);
        }

        return Input([.. pickles.SelectMany(pickle => pickle), .. _storages]);
    }

    /// <inheritdoc/>
    protected override void CheckContent(WeightFile file, FuzzInput input, Int128 bytes) =>
        FuzzFindingException.ThrowUnless(bytes <= 4 * (Int128)input.SizeBytes + (16 << 20), $"The tensors have {bytes} bytes.");

    private static FuzzInput Input(byte[] content) => new("damaged.pth", content);
}
