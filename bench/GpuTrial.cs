using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>A model in bf16 on one device, without anything around it.</summary>
internal sealed class GpuTrial : IDisposable
{
    private const int PieceLength = ParameterLayout.BlockLength;
    private const ulong Seed = 1;

    private readonly HuggingFaceConfig _config;
    private readonly Replica _replica;

    public GpuTrial(string model, string deviceName, int batchSize, int rounds)
    {
        (Model, DeviceName, BatchSize, Rounds, _config) = (model, deviceName, batchSize, rounds, Measurement.Preset(model));
        _replica = new Replica(_config, deviceName, ComputePrecision.Bf16, PadTokens.Ignore);
        WriteParameters();
    }

    public string Model { get; }

    public string DeviceName { get; }

    public int BatchSize { get; }

    public int Rounds { get; }

    public long ParameterCount => _replica.ParameterCount;

    public string ConfigJson => _config.ToJson();

    /// <summary>
    /// Floating-point operations of forward and backward for one token: 6 for each parameter, and 12 for each layer, unit of its width and
    /// token that it may attend to (Chowdhery et al., PaLM, 2022, appendix B).
    /// </summary>
    public double OperationsOfToken(int columns) => (6.0 * ParameterCount) + (12.0 * _config.LayerCount * _config.HiddenSize * columns);

    /// <summary>Tokens per second of forward and backward, with libtorch's deterministic mode and without it, in turns; medians.</summary>
    public (double Deterministic, double Free) TokensPerSecond(int columns, int warmUp)
    {
        var batch = Batch(columns);
        var (deterministic, free) = (new List<double>(), new List<double>());
        for (int round = -warmUp; round < Rounds; round++)
        {
            double with = Seconds(batch);
            DeterministicMode.Leave();
            double without = Seconds(batch);
            if (DeviceName != "cpu") DeterministicMode.Enter();
            if (round < 0) continue;
            deterministic.Add(with);
            free.Add(without);
        }

        double tokens = BatchSize * columns;
        return (tokens / Measurement.Median(deterministic), tokens / Measurement.Median(free));
    }

    /// <summary>How many different gradients the same micro-batch has.</summary>
    public int DifferentGradients(int columns, int backwards)
    {
        var batch = Batch(columns);
        return Enumerable.Range(0, backwards).Select(_ => ReplicaProof.BitsOf(_replica, batch)).Distinct().Count();
    }

    /// <summary>What a step costs besides forward and backward where the parameters are the host's: medians of seconds.</summary>
    public (double Read, double Adam, double Write) ExchangeSeconds()
    {
        var (read, adam, write) = (new List<double>(), new List<double>(), new List<double>());
        using var pass = new AdamPass(ParameterCount, copies: 1, Environment.ProcessorCount);
        for (int round = 0; round < Rounds; round++)
        {
            var gradient = _replica.RentGradient();
            read.Add(Measurement.Seconds(() => gradient = _replica.ToHost(gradient)));
            _replica.Return(gradient);
            adam.Add(pass.Seconds());
            write.Add(Measurement.Seconds(WriteParameters));
        }

        return (Measurement.Median(read), Measurement.Median(adam), Measurement.Median(write));
    }

    // The loss is read at the end: the device has done all of it by then.
    private double Seconds(MicroBatch batch)
    {
        var gradient = _replica.RentGradient();
        double seconds = Measurement.Seconds(() => _replica.Accumulate(batch, 1, gradient));
        _replica.Return(gradient);
        return seconds;
    }

    private void WriteParameters()
    {
        var piece = new float[(int)Math.Min(PieceLength, ParameterCount)];
        ParameterInitialization.Fill(_config, Seed, 0, piece);
        for (long offset = 0; offset < ParameterCount; offset += piece.Length)
            _replica.WriteParameters(offset, piece.AsSpan(0, (int)Math.Min(piece.Length, ParameterCount - offset)));
    }

    private MicroBatch Batch(int columns)
    {
        var ids = Enumerable.Range(0, BatchSize * columns).Select(place => (byte)(3 + (place * 7 % 61))).ToArray();
        return new MicroBatch(BatchSize, columns, ids, [.. Enumerable.Repeat(columns, BatchSize)]);
    }

    public void Dispose() => _replica.Dispose();
}
