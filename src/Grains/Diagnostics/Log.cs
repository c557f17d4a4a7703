using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>All log messages of the grains. Event ids: 100 runs, 200 devices, 300 parameters, 400 checkpoints.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Error, "Run {RunId} failed after step {Step}")]
    public static partial void RunFailed(this ILogger logger, Exception exception, string runId, long step);

    [LoggerMessage(101, LogLevel.Warning, "Run {RunId} did not let go of everything it held")]
    public static partial void ReleaseFailed(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(102, LogLevel.Information, "Generation {Generation} of run {RunId} ends: another driver has taken over")]
    public static partial void DriverSuperseded(this ILogger logger, Exception exception, string runId, long generation);

    [LoggerMessage(103, LogLevel.Warning, "Runs could not be woken")]
    public static partial void RunsNotWoken(this ILogger logger, Exception exception);

    [LoggerMessage(104, LogLevel.Warning, "Run {RunId} has no reminder")]
    public static partial void RunNotReminded(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(200, LogLevel.Warning, "Run {RunId} cannot use {Silo} {Device}")]
    public static partial void DeviceNotPrepared(this ILogger logger, Exception exception, string runId, string silo, string device);

    [LoggerMessage(300, LogLevel.Warning, "Run {RunId} counts no more on partition {Partition} on {Silo}")]
    public static partial void HolderLost(this ILogger logger, Exception exception, string runId, int partition, string silo);

    [LoggerMessage(400, LogLevel.Information, "Run {RunId} wrote checkpoint {Name} after step {Step}")]
    public static partial void CheckpointWritten(this ILogger logger, string runId, string name, long step);
}
