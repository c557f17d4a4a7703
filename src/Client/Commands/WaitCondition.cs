using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary>What <c>genslm wait</c> waits for.</summary>
/// <param name="State">The run is in this state; null: it has done a step.</param>
/// <param name="Step">The step.</param>
internal sealed record WaitCondition(RunState? State, long Step)
{
    private static readonly RunState[] States = [RunState.Completed, RunState.Paused, RunState.Running, RunState.Waiting, RunState.Cancelled, RunState.Failed];

    /// <summary>How help shows it.</summary>
    public static string Placeholder { get; } = $"{string.Join('|', States.Select(EnumText.Word))}|step=N";

    /// <summary>Reads "completed", "paused", …, "step=12".</summary>
    /// <exception cref="UsageException">It is none of them.</exception>
    public static WaitCondition Parse(string text)
    {
        if (text.StartsWith("step=", StringComparison.Ordinal)) return new WaitCondition(null, RunOption.ParseNumber<long>("for step", text[5..]));
        var words = States.Select(EnumText.Word).ToArray();
        return EnumText.Parse<RunState>(text) is { } state && States.Contains(state)
            ? new WaitCondition(state, 0)
            : throw new UsageException($"for is '{text}'; expected one of {string.Join(", ", words)}, step=N. Did you mean {NearestName.Of(text, [.. words, "step=N"])}?");
    }

    public bool IsMetBy(RunStatus status) => State is { } state ? status.State == state : status.Step >= Step;

    /// <summary>Whether the run is over in a way from which nothing but a new start leads there. A paused run may go on.</summary>
    public static bool IsOutOfReachOf(RunStatus status) => status.State is RunState.Completed or RunState.Failed or RunState.Cancelled;

    public override string ToString() => State is { } state ? EnumText.Word(state) : FormattableString.Invariant($"step {Step}");
}
