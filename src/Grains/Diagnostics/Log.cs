using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>All log messages of the grains. Event ids: 100 runs, 200 devices, 300 parameters, 400 checkpoints, 500 the tensor channel.</summary>
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

    [LoggerMessage(108, LogLevel.Warning, "Run {RunId} could not hand over at once what is about to be lost; it is tried again at the next step boundary")]
    public static partial void NotHandedOver(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(105, LogLevel.Warning, "Run {RunId} could not be woken")]
    public static partial void RunNotWoken(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(106, LogLevel.Warning, "Run {RunId} has not written its record")]
    public static partial void RunNotWritten(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(107, LogLevel.Warning, "Run {RunId} is not driven from here")]
    public static partial void RunNotDriven(this ILogger logger, Exception exception, string runId);

    [LoggerMessage(200, LogLevel.Warning, "Run {RunId} cannot use {Silo} {Device}")]
    public static partial void DeviceNotPrepared(this ILogger logger, Exception exception, string runId, string silo, string device);

    [LoggerMessage(300, LogLevel.Warning, "Run {RunId} counts no more on partition {Partition} on {Silo}")]
    public static partial void HolderLost(this ILogger logger, Exception exception, string runId, int partition, string silo);

    [LoggerMessage(400, LogLevel.Information, "Run {RunId} wrote checkpoint {Name} after step {Step}")]
    public static partial void CheckpointWritten(this ILogger logger, string runId, string name, long step);

    [LoggerMessage(401, LogLevel.Warning, "Run {RunId} has a damaged checkpoint: {Sentence}")]
    public static partial void CheckpointDamaged(this ILogger logger, string runId, string sentence);

    [LoggerMessage(500, LogLevel.Warning, "There is no tensor channel on port {Port}, blocks come as grain calls: {Reason}")]
    public static partial void ChannelNotOpened(this ILogger logger, int port, string reason);

    [LoggerMessage(501, LogLevel.Warning, "A connection of {Who} to the tensor channel is closed: {Reason}")]
    public static partial void ChannelClosed(this ILogger logger, string who, string reason);

    [LoggerMessage(502, LogLevel.Warning, "Blocks to and from {Silo} are grain calls, the tensor channel cannot be used: {Reason}")]
    public static partial void ChannelNotUsed(this ILogger logger, string silo, string reason);
}
