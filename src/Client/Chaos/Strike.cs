using System.Collections.Immutable;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>A fault that struck.</summary>
/// <param name="Fault">What was planned.</param>
/// <param name="Silos">Whom it struck.</param>
/// <param name="Time">When.</param>
/// <param name="Step">At which optimizer step.</param>
/// <param name="HitDriver">Whether the run grain was on one of them.</param>
/// <param name="Aimed">Whether it struck in its phase; otherwise that did not come, and it struck all the same.</param>
internal sealed record Strike(Fault Fault, ImmutableArray<string> Silos, DateTimeOffset Time, long Step, bool HitDriver, bool Aimed)
{
    /// <summary>What goes on after the strike, until what was disturbed is as it was; ends in an objection, or null.</summary>
    public Task<string?> Aftermath { get; init; } = Task.FromResult<string?>(null);

    public override string ToString() =>
        $"{Fault}: struck {(Silos.IsEmpty ? "" : string.Join(", ", Silos) + " ")}at step {Step}{(Aimed ? "" : ", its phase did not come")}";
}
