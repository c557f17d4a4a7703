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
}
