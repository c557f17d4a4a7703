namespace GenSlmOrleans.Bench;

/// <summary>The same model trained by PyTorch with Gloo DDP, each rank with one thread.</summary>
internal static class PeerTraining
{
    /// <summary>Real tokens per second.</summary>
    /// <param name="model">A preset's name.</param>
    /// <param name="ranks">How many processes.</param>
    /// <param name="batch">Records of a micro-batch.</param>
    /// <param name="columns">Tokens of a record, padding included.</param>
    /// <param name="length">Real tokens of a record, on average.</param>
    /// <param name="accumulation">Micro-batches of a step.</param>
    /// <param name="steps">Steps that count.</param>
    /// <param name="reducesEachMicroBatch">Whether gradients are reduced after every micro-batch, not once a step.</param>
    public static double Run(string model, int ranks, int batch, int columns, double length, int accumulation, int steps, bool reducesEachMicroBatch)
    {
        var config = Measurement.Preset(model);
        string[] arguments =
        [
            "--hidden", Measurement.Text(config.HiddenSize), "--heads", Measurement.Text(config.HeadCount), "--layers", Measurement.Text(config.LayerCount), "--inner", Measurement.Text(config.IntermediateSize),
            "--vocabulary", Measurement.Text(config.VocabularySize), "--rotary", Measurement.Text(config.RotaryDimensions),
            "--ranks", Measurement.Text(ranks), "--batch", Measurement.Text(batch), "--columns", Measurement.Text(columns), "--accumulation", Measurement.Text(accumulation), "--steps", Measurement.Text(steps),
            .. reducesEachMicroBatch ? (string[])["--reduce-each"] : [],
        ];
        using var json = PythonPeer.Run("train.py", arguments);
        return ranks * batch * accumulation * length / Measurement.Median(json.RootElement.GetProperty("seconds").EnumerateArray().Select(value => value.GetDouble()));
    }
}
