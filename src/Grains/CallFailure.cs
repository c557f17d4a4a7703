using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains;

/// <summary>What a failed call between silos means.</summary>
internal static class CallFailure
{
    /// <summary>Whether the callee is gone or no longer has what it was asked about: another can be asked instead. Anything else is an error.</summary>
    public static bool IsLoss(Exception exception) => exception switch
    {
        AggregateException aggregate => aggregate.InnerExceptions.All(IsLoss),
        StaleMessageException => true,
        // The silo is not a member, the connection broke, the message was rejected or found no place.
        SiloUnavailableException or OrleansMessageRejectionException or TimeoutException => true,
        // What the callee was at was broken off because its silo is leaving, or its replica was released.
        OperationCanceledException or ObjectDisposedException => true,
        OrleansException orleans => orleans.InnerException is { } inner && IsLoss(inner),
        _ => false,
    };
}
