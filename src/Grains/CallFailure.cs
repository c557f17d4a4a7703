using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains;

/// <summary>What a failed call between silos means for the one who called.</summary>
internal enum FailureKind
{
    /// <summary>An error of the callee's: nothing to do with the cluster.</summary>
    Error,

    /// <summary>No answer, or none yet: the callee may be busy, cut off or dead; membership will say. The same can be asked again.</summary>
    Slow,

    /// <summary>The callee lives and says that it does not have what it was asked about.</summary>
    Refused,

    /// <summary>The callee was at it and broke off, because its silo is leaving or its run has ended there.</summary>
    Leaving,
}

/// <summary>Tells failures of calls between silos apart. Whether a silo is gone no failure says: only membership does (<see cref="Peers"/>).</summary>
internal static class CallFailure
{
    /// <summary>What a failed call means.</summary>
    public static FailureKind Of(Exception exception) => exception switch
    {
        AggregateException aggregate => aggregate.InnerExceptions.Select(Of).DefaultIfEmpty(FailureKind.Error).Min(),
        StaleMessageException => FailureKind.Refused,
        // Not a member, a broken connection, a message that was rejected or found no place: all of them pass, or membership ends them.
        NotAMemberException or SiloUnavailableException or OrleansMessageRejectionException or TimeoutException => FailureKind.Slow,
        OperationCanceledException or ObjectDisposedException => FailureKind.Leaving,
        OrleansException orleans => orleans.InnerException is { } inner ? Of(inner) : FailureKind.Error,
        _ => FailureKind.Error,
    };

    /// <summary>Whether another can be asked instead, or the same one again. Anything else is an error.</summary>
    public static bool IsLoss(Exception exception) => Of(exception) != FailureKind.Error;

    /// <summary>Whether what failed may be a device's, or a silo's, own: no fault of the run or its data, and another silo may succeed.</summary>
    public static bool MayBeOfTheSilo(Exception exception) => exception is not (RunFailedException or RunInputException or SupersededException);

    /// <summary>Whether the same callee may answer if asked again.</summary>
    public static bool IsSlow(Exception exception) => Of(exception) == FailureKind.Slow;
}
