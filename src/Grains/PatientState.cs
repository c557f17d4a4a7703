using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains;

/// <summary>
/// State of a grain that outlasts a restart of the store, which may be gone for a minute. A write whose answer was lost is told
/// from a rival's by what the record says of its last write.
/// </summary>
/// <param name="state">The state, as Orleans reads it when the grain is activated.</param>
/// <param name="time">The clock.</param>
internal sealed class PatientState<T>(IPersistentState<T> state, TimeProvider time)
    where T : class, IStampedRecord
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly string _writer = Guid.NewGuid().ToString("N");
    private long _writes;
    private T? _value;

    /// <summary>The record: the same object from one read to the next, whatever a write finds in the store.</summary>
    public T Value
    {
        get => _value ??= state.State;
        set => _value = value;
    }

    /// <summary>Reads the record anew.</summary>
    public async Task ReadAsync(TimeSpan patience)
    {
        await DoAsync(state.ReadStateAsync, time.GetTimestamp(), patience);
        _value = state.State;
    }

    /// <summary>Makes the record last as it is. Not to be called again before it has ended.</summary>
    /// <param name="patience">How long the store may be away.</param>
    /// <exception cref="InconsistentStateException">Another activation has written; <see cref="Value"/> is what it wrote.</exception>
    public async Task WriteAsync(TimeSpan patience)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                await DoAsync(WriteOnceAsync, start, patience);
                return;
            }
            catch (InconsistentStateException)
            {
                var own = Value;
                await DoAsync(state.ReadStateAsync, start, patience);
                if (state.State.LastWrite?.Writer != _writer)
                {
                    _value = state.State;
                    throw;
                }

                // It was this activation: only the answer was lost. Once more, on the ETag that it left.
                state.State = own;
            }
        }
    }

    private Task WriteOnceAsync()
    {
        state.State = Value;
        state.State.LastWrite = new WriteStamp(_writer, ++_writes);
        return state.WriteStateAsync();
    }

    private async Task DoAsync(Func<Task> work, long start, TimeSpan patience)
    {
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception exception) when (exception is not InconsistentStateException && time.GetElapsedTime(start) < patience)
            {
                await Task.Delay(Pause, time);
            }
        }
    }
}
