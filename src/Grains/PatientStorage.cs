using Orleans.Storage;

namespace GenSlmOrleans.Grains;

/// <summary>Reads and writes of grain state that outlast a restart of the store: it may be gone for a minute, the run goes on when it is back.</summary>
internal static class PatientStorage
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    /// <exception cref="InconsistentStateException">Somebody else has written since this activation read.</exception>
    public static async Task DoAsync(Func<Task> work, TimeProvider time)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception exception) when (exception is not InconsistentStateException && time.GetElapsedTime(start) < Patience)
            {
                await Task.Delay(Pause, time);
            }
        }
    }
}
