using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>What <c>genslm train</c> is told: the run's spec, and how to run it.</summary>
internal sealed record TrainSettings
{
    public RunSpec Spec { get; init; } = new() { Threads = Environment.ProcessorCount };

    /// <summary>Local silo processes to start.</summary>
    public int Silos { get; init; } = 1;

    /// <summary>Go on from the output folder's last checkpoint, if there is one.</summary>
    public bool Resume { get; init; }

    /// <summary>Print one JSON object on standard output at the end, and nothing else there.</summary>
    public bool Json { get; init; }

    /// <summary>What is wrong with the settings, a sentence each; empty when they are sound.</summary>
    public IEnumerable<string> Validate() =>
        Silos < 1 ? [$"silos is {Silos}; it must be at least 1.", .. Spec.Validate()] : Spec.Validate();
}
