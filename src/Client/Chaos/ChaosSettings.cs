using System.Collections.Immutable;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What <c>genslm chaos</c> is told.</summary>
internal sealed record ChaosSettings
{
    public int Runs { get; init; } = 10;

    public ulong Seed { get; init; } = 1;

    /// <summary>The run to begin with, from 1: to have one that failed again.</summary>
    public int FirstRun { get; init; } = 1;

    public string Data { get; init; } = "";

    /// <summary>A preset, or a Hugging Face config.json.</summary>
    public string Model { get; init; } = "tiny";

    /// <summary>Epochs of a run, of some <see cref="RunSize.StepsPerEpoch"/> steps each; null: as many as suit the model.</summary>
    public int? Epochs { get; init; }

    /// <summary>What decides the runs' settings.</summary>
    public SettingsChoice Settings { get; init; }

    /// <summary>Silos that a run begins with, and is brought back to.</summary>
    public int Silos { get; init; } = 3;

    /// <summary>When a silo that has ended is replaced; a storm does it at once.</summary>
    public Replacement Replacements { get; init; }

    /// <summary>What schedules are drawn from.</summary>
    public ImmutableArray<FaultKind> Kinds { get; init; } = FaultSchedule.Drawn;

    /// <summary>The schedule of every run; default: drawn for each.</summary>
    public ImmutableArray<Fault> Faults { get; init; }

    /// <summary>Between two kills of a storm; null: no storm.</summary>
    public TimeSpan? Storm { get; init; }

    /// <summary>How long the storm lasts.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>A trace to replay; default: none.</summary>
    public ImmutableArray<SpotEvent> Trace { get; init; }

    /// <summary>Within which time silos are declared dead: theirs to say (GENSLM_FAILURE_DETECTION).</summary>
    public TimeSpan FailureDetection { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Where runs, their logs and their data go.</summary>
    public string Folder { get; init; } = "";

    /// <summary>When run <paramref name="run"/> has its silos replaced.</summary>
    public Replacement ReplacementOf(int run) => Replacements switch
    {
        Replacement.Alternating => run % 2 == 1 ? Replacement.AtOnce : Replacement.AfterStep,
        var chosen => chosen,
    };

    /// <summary>Keep also what passed.</summary>
    public bool Keep { get; init; }
}
