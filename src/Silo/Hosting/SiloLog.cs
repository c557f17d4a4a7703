using System.Net;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>The log messages of the host process. Event ids from 500.</summary>
internal static partial class SiloLog
{
    [LoggerMessage(500, LogLevel.Information, "Silo {Name} at {Address}:{Port}; deadlines: {Deadlines}")]
    public static partial void Starting(this ILogger logger, string name, string address, int port, FailureDeadlines deadlines);

    [LoggerMessage(501, LogLevel.Information, "Told to leave; handing over within {Seconds} s")]
    public static partial void Draining(this ILogger logger, double seconds);

    [LoggerMessage(502, LogLevel.Information, "All is handed over; leaving")]
    public static partial void HandedOver(this ILogger logger);

    [LoggerMessage(503, LogLevel.Warning, "Not all was handed over in time; leaving")]
    public static partial void DrainTimedOut(this ILogger logger);

    [LoggerMessage(504, LogLevel.Warning, "Silo {Name} at {Address} closed its connections and refuses new ones; declaring it dead")]
    public static partial void SiloGone(this ILogger logger, string name, EndPoint address);

    [LoggerMessage(505, LogLevel.Warning, "Every GPU of this machine is offered by another silo; this one offers none, and holds parameters only")]
    public static partial void NoDevices(this ILogger logger);

    [LoggerMessage(506, LogLevel.Warning, "GPUs are offered, though another silo of this machine may offer them too: {Objection}")]
    public static partial void DevicesUnclaimed(this ILogger logger, string objection);

    [LoggerMessage(507, LogLevel.Information, "The pool was at most {Milliseconds:F0} ms late")]
    public static partial void PoolWatched(this ILogger logger, double milliseconds);

    [LoggerMessage(509, LogLevel.Error, "{Sentence}; the silo hands over what it holds and ends with exit code {ExitCode}, so that it is started again")]
    public static partial void DevicePoisoned(this ILogger logger, string sentence, int exitCode);

    [LoggerMessage(508, LogLevel.Debug, "Whether runs lack copies is not known yet: {Reason}")]
    public static partial void NotSettled(this ILogger logger, string reason);
}
