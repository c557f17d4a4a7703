namespace GenSlmOrleans.Abstractions;

/// <summary>
/// The response time-out of calls whose duration is the work's own (a window of micro-batches, tokenising a file,
/// writing a checkpoint). Not a failure deadline: a lost silo breaks its calls at once.
/// </summary>
public static class LongCall
{
    public const string Timeout = "1.00:00:00";
}
