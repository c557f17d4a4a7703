using ScottPlot;

namespace GenSlmOrleans.Plot;

/// <summary>Tokens per second over time, as steps of a staircase, under the names of what was done to the cluster.</summary>
internal static class SpeedChart
{
    private const int Width = 1100;
    private const int Height = 480;

    private static readonly Color s_eventColor = Color.FromHex("#b22222");

    // Room above the highest step for the names, which stand at the top.
    private const double Headroom = 1.2;

    /// <summary>The picture, as a PNG.</summary>
    public static byte[] Draw(SpeedTable table)
    {
        using var plot = new ScottPlot.Plot();
        ShadeMoreThanOneSilo(plot, table);
        // Each step's speed holds from the step before to its own end.
        double[] times = [.. table.Steps.SelectMany(step => (double[])[step.Start, step.End])];
        double[] speeds = [.. table.Steps.SelectMany(step => (double[])[step.Speed, step.Speed])];
        var line = plot.Add.ScatterLine(times, speeds, Colors.Navy);
        line.LineWidth = 2;
        line.LegendText = "tokens/s, step by step";
        foreach (var happened in table.Events)
        {
            var mark = plot.Add.VerticalLine(happened.Time, 1.5f, s_eventColor, LinePattern.Dashed);
            mark.LabelText = happened.Name;
            mark.LabelOppositeAxis = true;
            mark.LabelBackgroundColor = Colors.Transparent;
            mark.LabelFontColor = s_eventColor;
            mark.ExcludeFromLegend = true;
        }

        plot.XLabel("seconds since the first step was applied");
        plot.YLabel("tokens per second");
        plot.Axes.SetLimits(0, times[^1], 0, speeds.Max() * Headroom);
        // The names of the marks stand outside the axes.
        plot.Axes.Top.MinimumSize = 30;
        plot.ShowLegend(Alignment.LowerRight);
        return plot.GetImage(Width, Height).GetImageBytes(ImageFormat.Png);
    }

    private static void ShadeMoreThanOneSilo(ScottPlot.Plot plot, SpeedTable table)
    {
        bool isNamed = false;
        foreach (var step in table.Steps.Where(step => step.Silos > 1))
        {
            var span = plot.Add.HorizontalSpan(step.Start, step.End, Colors.SteelBlue.WithAlpha(0.15));
            span.LineStyle.Width = 0;
            if (!isNamed) span.LegendText = "planned on two silos";
            isNamed = true;
        }
    }
}
