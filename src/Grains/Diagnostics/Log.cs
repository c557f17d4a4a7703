using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>All log messages of the grains. Event ids: 100 runs, 200 devices, 300 parameters, 400 checkpoints.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Error, "Run {RunId} failed after step {Step}")]
    public static partial void RunFailed(this ILogger logger, Exception exception, string runId, long step);

    [LoggerMessage(101, LogLevel.Warning, "Run {RunId} did not let go of everything it held")]
    public static partial void ReleaseFailed(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(400, LogLevel.Information, "Run {RunId} wrote checkpoint {Name} after step {Step}")]
    public static partial void CheckpointWritten(this ILogger logger, string runId, string name, long step);
}
