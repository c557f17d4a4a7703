using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// The checkpoint whose blocks devices ask for one after the other: it is verified and opened with the first, and closed
/// when another is asked for or nobody has asked for a while. One at a time; touched on its grain's scheduler only.
/// </summary>
internal sealed class SharedReading(FileThreads files, TimeProvider time)
{
    private Opened? _opened;

    /// <summary>One block of a checkpoint's parameters.</summary>
    public async Task<Block> ReadAsync(string checkpoint, int block, int length)
    {
        var opened = _opened;
        if (opened?.Path != checkpoint)
        {
            Close();
            _opened = opened = new Opened(checkpoint, files.RunLongAsync(() => CheckpointReader.Open(checkpoint, BlockKind.Parameters)));
        }

        opened.Readers++;
        try
        {
            var reader = await opened.Reader;
            return await files.RunAsync(() =>
            {
                var values = Block.RentForAnswer(block, length);
                reader.Read(BlockKind.Parameters, ParameterLayout.BlockOffset(block), values.Values);
                return values;
            });
        }
        catch
        {
            // Whoever asks next looks again.
            if (_opened == opened) Close();
            throw;
        }
        finally
        {
            opened.LastRead = time.GetTimestamp();
            opened.Readers--;
            opened.CloseWhenDone();
        }
    }

    /// <summary>Closes the checkpoint if nobody has read it for <paramref name="idle"/>.</summary>
    public void CloseAfter(TimeSpan idle)
    {
        if (_opened is { Readers: 0 } opened && time.GetElapsedTime(opened.LastRead) >= idle) Close();
    }

    /// <summary>Closes the checkpoint, as soon as those who read it are done.</summary>
    public void Close()
    {
        if (_opened is not { } opened) return;
        _opened = null;
        opened.IsOver = true;
        opened.CloseWhenDone();
    }

    private sealed class Opened(string path, Task<CheckpointReader> reader)
    {
        public string Path { get; } = path;

        public Task<CheckpointReader> Reader { get; } = reader;

        public int Readers { get; set; }

        public long LastRead { get; set; }

        public bool IsOver { get; set; }

        public void CloseWhenDone()
        {
            if (IsOver && Readers == 0) _ = CloseAsync(Reader);
        }

        private static async Task CloseAsync(Task<CheckpointReader> reader)
        {
            await Task.WhenAny(reader);
            if (reader.IsCompletedSuccessfully) (await reader).Dispose();
        }
    }
}
