namespace GenSlmOrleans.Client;

/// <summary>What the console ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int RunFailed = 1;

    /// <summary>Two files differ.</summary>
    public const int Different = 1;
    public const int BadInput = 2;
    public const int ClusterUnreachable = 3;
    public const int WaitTimedOut = 4;
    public const int Interrupted = 130;
}

/// <summary>Bad input or usage: one sentence that says what was found, what is expected, and what to type next. Exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>A silo did not start, died, or cannot be reached. Exit code 3.</summary>
internal sealed class ClusterException(string message) : Exception(message);
