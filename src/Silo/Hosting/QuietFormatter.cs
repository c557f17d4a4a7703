using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Log lines as the simple console writes them, without those that Orleans writes about every silo and that are no news of
/// any: filters know categories and levels, and these share theirs with lines that matter.
/// </summary>
/// <param name="services">Has the simple formatter, which asks for being found among all formatters, this one included.</param>
/// <param name="uptime">How long this process has run.</param>
internal sealed class QuietFormatter(IServiceProvider services, Func<TimeSpan> uptime) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "quiet";

    // Orleans recommends the server's collector; ours is chosen in Silo.csproj, where the reason is.
    private const int ServerCollectorNote = 100405;

    // A watchdog that counts from the machine's start until its first tick: "has not completed for 01:44:15".
    private const int WatchdogStall = 100150;

    private readonly Lazy<ConsoleFormatter> _simple = new(() => services.GetServices<ConsoleFormatter>().First(formatter => formatter.Name == ConsoleFormatterNames.Simple));

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        // What writes nothing is no line.
        if (!IsNoise(logEntry.Category, logEntry.EventId.Id, logEntry.State)) _simple.Value.Write(logEntry, scopeProvider, textWriter);
    }

    private bool IsNoise<TState>(string category, int eventId, TState state) => (category, eventId) switch
    {
        ("Orleans.Runtime.Silo", ServerCollectorNote) => true,
        ("Orleans.Runtime.Watchdog", WatchdogStall) => state is IEnumerable<KeyValuePair<string, object?>> values && values.Any(value => value.Value is TimeSpan stall && stall > uptime()),
        _ => false,
    };
}
