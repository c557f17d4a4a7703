using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>What is started again and again: a model on silos of this machine, the shortest run that does everything once.</summary>
/// <param name="Name">What <c>--only</c> calls it.</param>
/// <param name="Model">A preset's name.</param>
/// <param name="Silos">How many silos share the machine.</param>
/// <param name="Times">How often the bar wants it started.</param>
internal sealed record StartConfiguration(string Name, string Model, int Silos, int Times)
{
    /// <summary>Forty starts in all.</summary>
    public static IReadOnlyList<StartConfiguration> All { get; } =
    [
        new("25m-2", "genslm_25M_patric", Silos: 2, Times: 20),
        new("25m-3", "genslm_25M_patric", Silos: 3, Times: 10),
        new("250m-2", "genslm_250M_patric", Silos: 2, Times: 10),
    ];

    /// <summary>What a user types after 'genslm'.</summary>
    public string[] Arguments(string fasta, string output) =>
    [
        "train", fasta,
        "--model", Model,
        "--silos", Silos.ToString(CultureInfo.InvariantCulture),
        "--threads", "1",
        "--seq-length", "8",
        "--batch-size", "1",
        "--accumulation-steps", "1",
        "--max-steps", "3",
        "--output", output,
        "--json",
        "--plain",
    ];
}
