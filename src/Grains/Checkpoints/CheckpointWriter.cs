using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Writes a checkpoint: parameters and both moments as safetensors parts of whole tensors, in state-dict order, then the
/// manifest, all in a temporary folder that gets its name last. Blocks stream through; a part is never held in memory.
/// </summary>
internal sealed class CheckpointWriter(RunPlan plan, FileThreads files, Func<BlockKind, int, Task<Block>> fetch)
{
    private const long PartElements = 1L << 28;

    private readonly List<CheckpointPart> _parts = [];

    /// <summary>Writes <paramref name="request"/>'s checkpoint into <paramref name="folder"/>, which has yet to be given its name.</summary>
    public async Task WriteAsync(AtomicFolder folder, CheckpointRequest request)
    {
        var ranges = PartRanges();
        int partCount = 3 * ranges.Count;
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var kind in (BlockKind[])[BlockKind.Parameters, BlockKind.FirstMoment, BlockKind.SecondMoment])
        {
            var blocks = new BlockReader(plan.Layout, index => fetch(kind, index));
            foreach (var slots in ranges)
                await WritePartAsync(folder, $"part-{_parts.Count:00000}-of-{partCount:00000}.safetensors", kind, slots, blocks, sha256, request.Fence.Step);
            blocks.Dispose();
        }

        await files.RunAsync(() =>
        {
            using var stream = folder.CreateFile(CheckpointManifest.FileName);
            Manifest(request, sha256.GetHashAndReset()).Write(stream);
        });
    }

    private async Task WritePartAsync(
        AtomicFolder folder, string file, BlockKind kind, ImmutableArray<ParameterSlot> slots, BlockReader blocks, IncrementalHash sha256, long step)
    {
        var name = kind switch { BlockKind.FirstMoment => "exp_avg.", BlockKind.SecondMoment => "exp_avg_sq.", _ => "" };
        var tensors = slots.Select(slot => new TensorDescription(name + slot.Name, TensorElementType.Float32, slot.Shape)).ToImmutableArray();
        long first = slots[0].Offset, count = tensors.Sum(tensor => tensor.ElementCount);
        var stream = await files.RunAsync(() => folder.CreateFile(file));
        using var hashing = new HashingStream(stream);
        using var writer = new SafetensorsWriter(hashing, tensors, metadata: null);
        for (long done = 0; done < count;)
        {
            var values = await blocks.NextAsync(count - done);
            await files.RunAsync(() =>
            {
                FaultPoint.Reach(FaultPhase.Write, step);
                if (kind == BlockKind.Parameters) sha256.AppendData(MemoryMarshal.AsBytes(values.Span));
                writer.Write(values.Span);
            });
            done += values.Length;
        }

        await files.RunAsync(() =>
        {
            writer.Complete();
            // Closing flushes to the disk, which takes its time: not on the grain's scheduler. After a failure the folder closes it.
            stream.Dispose();
        });
        await FaultPoint.ReachAsync(FaultPhase.Checkpoint, step);
        _parts.Add(new CheckpointPart(file, VectorName(kind), first, count, hashing.Length, hashing.HashText));
    }

    /// <summary>Tensors of about 1 GiB together, in order; a larger tensor is a part of its own.</summary>
    private List<ImmutableArray<ParameterSlot>> PartRanges()
    {
        var ranges = new List<ImmutableArray<ParameterSlot>>();
        var current = ImmutableArray.CreateBuilder<ParameterSlot>();
        long elements = 0;
        foreach (var slot in plan.Layout.Slots)
        {
            if (current.Count > 0 && elements + slot.Count > PartElements)
            {
                ranges.Add(current.ToImmutable());
                current.Clear();
                elements = 0;
            }

            current.Add(slot);
            elements += slot.Count;
        }

        ranges.Add(current.ToImmutable());
        return ranges;
    }

    private CheckpointManifest Manifest(CheckpointRequest request, byte[] sha256) => new()
    {
        RunId = request.Fence.RunId,
        Step = request.Fence.Step,
        Epoch = request.Epoch,
        ValidationLoss = request.ValidationLoss,
        ParameterCount = plan.Layout.ParameterCount,
        WeightsSha256 = Convert.ToHexStringLower(sha256),
        LedgerHead = request.LedgerHead,
        Parts = [.. _parts],
        Progress = JsonSerializer.SerializeToElement(request.Progress, RunSpec.JsonOptions),
    };

    /// <summary>What the manifest calls a vector.</summary>
    public static string VectorName(BlockKind kind) => JsonNamingPolicy.CamelCase.ConvertName(kind.ToString());

    /// <summary>Reads one vector block after block, asking for the next while the one before is written.</summary>
    private sealed class BlockReader(ParameterLayout layout, Func<int, Task<Block>> fetch) : IDisposable
    {
        private Task<Block>? _next = fetch(0);
        private Block? _current;
        private int _index = -1;
        private int _used;

        /// <summary>The next values of the vector, at most <paramref name="limit"/>; good until the next call.</summary>
        public async Task<ReadOnlyMemory<float>> NextAsync(long limit)
        {
            if (_current is null || _used == _current.Length)
            {
                _current?.Dispose();
                _current = await _next!;
                _used = 0;
                _index++;
                _next = _index + 1 < layout.BlockCount ? fetch(_index + 1) : null;
            }

            int count = (int)Math.Min(limit, _current.Length - _used);
            var values = _current.Memory.Slice(_used, count);
            _used += count;
            return values;
        }

        public void Dispose() => _current?.Dispose();
    }
}
