using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What is done to a cluster.</summary>
internal enum FaultKind
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGSTOP, longer than it takes to be declared dead, then SIGCONT.</summary>
    Pause,

    /// <summary>SIGTERM: the silo hands over and leaves.</summary>
    Drain,

    /// <summary>A silo more.</summary>
    Join,

    /// <summary>SIGSTOP and SIGCONT in turn, each too short to be declared dead.</summary>
    Slow,

    /// <summary>SIGKILL to Redis, which is started again.</summary>
    Redis,

    /// <summary>SIGKILL to Redis and all silos, which are started again.</summary>
    Cluster,

    /// <summary>The file system of the output folder is full for a while.</summary>
    Disk,
}

/// <summary>Whom a fault strikes: by what it does for the run at that moment, or by its number.</summary>
internal enum FaultRole
{
    /// <summary>The silo numbered <see cref="FaultTarget.Number"/>.</summary>
    Silo,

    /// <summary>The silo that the run grain is on.</summary>
    Driver,

    /// <summary>The first holder of partition <see cref="FaultTarget.Number"/>.</summary>
    Holder,

    /// <summary>Its standby.</summary>
    Standby,

    /// <summary>Both at once.</summary>
    BothHolders,

    /// <summary>A silo that only computes: neither the run grain nor a partition is there.</summary>
    Worker,

    All,

    /// <summary>No silo.</summary>
    None,
}

/// <summary>Whom a fault strikes.</summary>
/// <param name="Role">By what.</param>
/// <param name="Number">Of the silo or the partition.</param>
internal readonly record struct FaultTarget(FaultRole Role, int Number = 0)
{
    public override string ToString() => Role switch
    {
        FaultRole.Silo => string.Create(CultureInfo.InvariantCulture, $"silo-{Number}"),
        FaultRole.Holder => string.Create(CultureInfo.InvariantCulture, $"the holder of partition {Number}"),
        FaultRole.Standby => string.Create(CultureInfo.InvariantCulture, $"the standby of partition {Number}"),
        FaultRole.BothHolders => string.Create(CultureInfo.InvariantCulture, $"both holders of partition {Number}"),
        FaultRole.Driver => "the driver",
        FaultRole.Worker => "a worker",
        FaultRole.All => "all",
        _ => "",
    };
}

/// <summary>One fault: <c>Fault.Kill(FaultRole.Driver).AtStep(3).During(FaultPhase.Push)</c>.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Target">To whom.</param>
/// <param name="Step">From which optimizer step on, counted from 1.</param>
/// <param name="Phase">Where in the step.</param>
internal sealed record Fault(FaultKind Kind, FaultTarget Target, long Step = 1, FaultPhase Phase = FaultPhase.Any)
{
    public static Fault Kill(int silo) => new(FaultKind.Kill, new FaultTarget(FaultRole.Silo, silo));

    public static Fault Kill(FaultRole role, int number = 0) => new(FaultKind.Kill, new FaultTarget(role, number));

    public static Fault Pause(FaultRole role, int number = 0) => new(FaultKind.Pause, new FaultTarget(role, number));

    public static Fault Drain(FaultRole role, int number = 0) => new(FaultKind.Drain, new FaultTarget(role, number));

    public static Fault Slow(FaultRole role, int number = 0) => new(FaultKind.Slow, new FaultTarget(role, number));

    /// <summary>One of those that strike no silo in particular.</summary>
    public static Fault Of(FaultKind kind) => new(kind, new FaultTarget(kind == FaultKind.Cluster ? FaultRole.All : FaultRole.None));

    public Fault AtStep(long step) => this with { Step = step };

    public Fault During(FaultPhase phase) => this with { Phase = phase };

    public override string ToString()
    {
        var target = Target.Role == FaultRole.None ? "" : $" {Target}";
        var phase = Phase == FaultPhase.Any ? "" : $" during {Listing.Word(Phase)}";
        return string.Create(CultureInfo.InvariantCulture, $"{Listing.Word(Kind)}{target} at step {Step}{phase}");
    }
}
