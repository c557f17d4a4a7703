namespace GenSlmOrleans.Bench;

/// <summary>The same exchange in PyTorch: Gloo's all-reduce and torch.optim.Adam, two ranks of one thread.</summary>
/// <param name="Torch">Its version.</param>
/// <param name="AllReduceSeconds">Of each round.</param>
/// <param name="AdamSeconds">Of each round.</param>
internal sealed record ExchangePeer(string Torch, double[] AllReduceSeconds, double[] AdamSeconds)
{
    /// <summary>Runs it.</summary>
    public static ExchangePeer Run(long parameters, int rounds)
    {
        using var json = PythonPeer.Run("exchange.py", $"{parameters}", $"{rounds}");
        double[] Seconds(string name) => [.. json.RootElement.GetProperty(name).EnumerateArray().Select(value => value.GetDouble())];
        return new ExchangePeer(json.RootElement.GetProperty("torch").GetString()!, Seconds("allReduce"), Seconds("adam"));
    }
}
