namespace GenSlmOrleans.Client.Rendering;

/// <summary>Runs as a table for people.</summary>
internal static class RunTable
{
    /// <param name="runs">The runs.</param>
    /// <param name="now">For their ages.</param>
    /// <param name="wide">With validation losses, pace, priority and output folders.</param>
    public static string Text(IEnumerable<RunView> runs, DateTimeOffset now, bool wide)
    {
        string[] headline = ["NAME", "STATE", "STEP", "EPOCH", "LOSS", "BEST", "DEVICES", "AGE"];
        string[] more = ["VAL", "TOK/S", "ETA", "PRIORITY", "OUTPUT"];
        return Listing.Table(
            [.. headline, .. wide ? more : [], "REMARK"],
            runs.Select(run => (string[])[.. Cells(run, now), .. wide ? MoreCells(run) : [], run.Remark]));
    }

    private static string[] Cells(RunView run, DateTimeOffset now) =>
    [
        run.Name,
        Listing.Word(run.State),
        Of(run.Step, run.TotalSteps),
        Of(run.Epoch, run.Epochs),
        Loss(run.TrainLoss),
        Loss(run.BestValidationLoss),
        $"{run.Devices}",
        EventText.Age(now - run.Submitted),
    ];

    private static string[] MoreCells(RunView run) =>
        [Loss(run.ValidationLoss), EventText.Thousands(run.TokensPerSecond), EventText.Duration(run.RemainingSeconds), $"{run.Priority}", run.Output];

    private static string Of(long done, long all) => all == 0 ? "-" : $"{done}/{all}";

    private static string Loss(double? value) => value is { } loss ? EventText.Invariant($"{loss:F4}") : "-";
}
