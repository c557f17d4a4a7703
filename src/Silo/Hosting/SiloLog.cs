namespace GenSlmOrleans.Silo.Hosting;

/// <summary>The log messages of the host process. Event ids from 500.</summary>
internal static partial class SiloLog
{
    [LoggerMessage(500, LogLevel.Information, "Silo {Name} at {Address}:{Port}; deadlines: {Deadlines}")]
    public static partial void Starting(this ILogger logger, string name, string address, int port, FailureDeadlines deadlines);
}
