namespace GenSlmOrleans.Bench;

/// <summary>What is done to the cluster.</summary>
internal enum ElasticAct
{
    Join,
    Leave,
    Kill,
}

/// <summary>A part of the run: what it begins with, and the silos that there then are.</summary>
/// <param name="Act">Null: the run begins.</param>
/// <param name="Silo">Whom it concerns.</param>
/// <param name="Silos">Those that the run is to work with from then on.</param>
internal sealed record ElasticPhase(ElasticAct? Act, string Silo, params string[] Silos)
{
    /// <summary>For the table and the picture.</summary>
    public string Name => Act switch
    {
        null => "begin",
        ElasticAct.Join => $"join {Silo}",
        ElasticAct.Leave => $"leave {Silo}",
        _ => $"kill -9 {Silo}",
    };
}

/// <summary>The run's parts in order, and a phase that was begun.</summary>
internal static class ElasticScript
{
    /// <summary>The silo that 'genslm up' starts.</summary>
    public const string First = "silo-0";

    private const string Leaving = "silo-1";
    private const string Dying = "silo-2";

    public static IReadOnlyList<ElasticPhase> Phases { get; } =
    [
        new(null, First, First),
        new(ElasticAct.Join, Leaving, First, Leaving),
        new(ElasticAct.Leave, Leaving, First),
        new(ElasticAct.Join, Dying, First, Dying),
        new(ElasticAct.Kill, Dying, First),
    ];
}
