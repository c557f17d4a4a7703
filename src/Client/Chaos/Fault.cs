using System.Globalization;
using System.Text.RegularExpressions;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
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

    /// <summary>Whatever is written into the output folder takes a second a piece, for a while.</summary>
    SlowDisk,

    /// <summary>Two silos do not reach each other for longer than it takes to be declared dead; everybody else reaches both.</summary>
    Partition,

    /// <summary>A device's thread stops in the middle of its window while its silo answers, for longer than that may take.</summary>
    Hang,

    /// <summary>One bit of one block of a sum is flipped before it gets its checksum.</summary>
    Flip,
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
    private bool HasNumber => Role is FaultRole.Silo or FaultRole.Holder or FaultRole.Standby or FaultRole.BothHolders;

    public override string ToString() => HasNumber ? string.Create(CultureInfo.InvariantCulture, $"{Listing.Word(Role)}-{Number}") : Listing.Word(Role);
}

/// <summary>One fault: <c>Fault.Kill(FaultRole.Driver).AtStep(3).During(FaultPhase.Push)</c>.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Target">To whom.</param>
/// <param name="Step">From which optimizer step on, counted from 1.</param>
/// <param name="Phase">Where in the step.</param>
internal sealed partial record Fault(FaultKind Kind, FaultTarget Target, long Step = 1, FaultPhase Phase = FaultPhase.Any)
{
    private const string Form = "such as 'kill driver at step 3 during push', 'drain silo-1 at step 5' or 'redis at step 2'";

    public static Fault Kill(int silo) => new(FaultKind.Kill, new FaultTarget(FaultRole.Silo, silo));

    public static Fault Kill(FaultRole role, int number = 0) => new(FaultKind.Kill, new FaultTarget(role, number));

    /// <summary>One of those that strike no silo in particular.</summary>
    public static Fault Of(FaultKind kind) => new(kind, new FaultTarget(kind == FaultKind.Cluster ? FaultRole.All : FaultRole.None));

    public Fault AtStep(long step) => this with { Step = step };

    public Fault During(FaultPhase phase) => this with { Phase = phase };

    /// <summary>Whether a kind strikes silos that have to be named.</summary>
    public static bool NeedsTarget(FaultKind kind) => kind is FaultKind.Kill or FaultKind.Pause or FaultKind.Drain or FaultKind.Slow or FaultKind.Partition or FaultKind.Hang or FaultKind.Flip;

    /// <summary>The place in a step at which a kind has silos do something; null: it comes from outside, anywhere.</summary>
    public static FaultPhase? Place(FaultKind kind) => kind switch
    {
        FaultKind.Hang => FaultPhase.Kernel,
        FaultKind.Flip => FaultPhase.Send,
        FaultKind.SlowDisk => FaultPhase.Write,
        _ => null,
    };

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    /// <exception cref="UsageException">It is none; the message says what is expected.</exception>
    public static Fault Parse(string text)
    {
        var match = Words().Match(text.Trim());
        if (!match.Success) throw new UsageException($"'{text.Trim()}' is not a fault; expected one {Form}.");
        var kind = ChoiceText.Parse<FaultKind>("the fault", match.Groups["kind"].Value);
        var target = match.Groups["target"];
        if (target.Success != NeedsTarget(kind))
            throw new UsageException($"'{text.Trim()}' {(target.Success ? "names a silo, which that fault has no use for" : "names no silo")}; expected a fault {Form}.");
        int number = match.Groups["number"] is { Success: true } digits ? RunOption.ParseNumber<int>("a silo's number", digits.Value) : 0;
        long step = match.Groups["step"] is { Success: true } at ? RunOption.ParseNumber<long>("a fault's step", at.Value) : 1;
        if (step < 1) throw new UsageException($"'{text.Trim()}' is at step {step}; it must be at least 1.");
        var phase = match.Groups["phase"] is { Success: true } during ? ChoiceText.Parse<FaultPhase>("the fault's phase", during.Value) : FaultPhase.Any;
        if (phase != FaultPhase.Any && Place(kind) is { } place) throw new UsageException($"'{text.Trim()}' has a phase; a {Listing.Word(kind)} is always at {Listing.Word(place)}.");
        return (target.Success ? new Fault(kind, new FaultTarget(ChoiceText.Parse<FaultRole>("the fault's target", target.Value), number)) : Of(kind)).AtStep(step).During(phase);
    }

    public override string ToString()
    {
        var target = NeedsTarget(Kind) ? $" {Target}" : "";
        var phase = Phase == FaultPhase.Any ? "" : $" during {Listing.Word(Phase)}";
        return string.Create(CultureInfo.InvariantCulture, $"{Listing.Word(Kind)}{target} at step {Step}{phase}");
    }

    [GeneratedRegex("^(?<kind>[a-z-]+)( (?<target>[a-z-]*[a-z])(-(?<number>[0-9]+))?)??( at step (?<step>[0-9]+))?( during (?<phase>[a-z-]+))?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Words();
}
