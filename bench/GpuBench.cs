using System.Globalization;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Bench;

/// <summary>
/// What a GPU does with the models as they are published, in bf16: tokens per second and the share of its peak, beside the same without the
/// deterministic mode and beside Hugging Face's model; whether backward has the same bits every time; what a step costs besides.
/// </summary>
internal static class GpuBench
{
    private const int WarmUp = 3;

    // Each gradient goes to the host to be hashed: of more parameters than this it takes seconds.
    private const long MostParametersOfManyBackwards = 1_000_000_000;
    private const int FewBackwards = 10;

    private static readonly int[] s_columns = [469, 2048];
    private static readonly string[] s_models = ["genslm_25M_patric", "genslm_250M_patric", "genslm_2.5B_patric"];

    public static void Run(Options options, Results results)
    {
        var device = options.Text("device") ?? AvailableDevices.Names().FirstOrDefault(name => name != "cpu");
        if (device is null)
        {
            results.Skip("gpu", "libtorch finds no GPU here ('--device cpu --model tiny' tries the bench itself).");
            return;
        }

        if (!AvailableDevices.Names().Append("cpu").Contains(device)) throw new UsageException($"--device is '{device}'; expected one of {string.Join(", ", AvailableDevices.Names())}.");
        if (device != "cpu") DeterministicMode.Enter();
        string[] models = options.Text("model") is null ? s_models : [options.Model()];
        foreach (var model in models)
        {
            using var trial = new GpuTrial(model, device, options.Number("batch-size", 1), options.Number("rounds", 5));
            foreach (int columns in options.Text("columns") is null ? s_columns : [options.Number("columns", s_columns[0])]) Measure(trial, columns, options, results);
        }
    }

    private static void Measure(GpuTrial trial, int columns, Options options, Results results)
    {
        var what = string.Create(CultureInfo.InvariantCulture, $"{trial.Model}, {trial.DeviceName}, bf16, {trial.BatchSize} × {columns} tokens");
        var (ours, free) = trial.TokensPerSecond(columns, WarmUp);
        if (GpuPeak.Of(trial.DeviceName) is { } peak)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"gpu  {what}: {ours * trial.OperationsOfToken(columns) / peak:P1} of {peak / 1e12:F0} TFLOP/s"));
        results.Add(new BenchResult("gpu", $"{what}, price of equal bits", ours, free, "tokens/s", "without the deterministic mode", Bar.AtLeast(0.9)));
        if (!PythonPeer.Has("transformers")) results.Skip("gpu", "No Python here has torch and transformers: Hugging Face's model is not there to compare with.");
        else results.Add(new BenchResult("gpu", what, ours, Peer(trial, columns), "tokens/s", "Hugging Face's model", Bar.AtLeast(1)));

        int asked = options.Number("backwards", 200), backwards = trial.ParameterCount > MostParametersOfManyBackwards ? Math.Min(asked, FewBackwards) : asked;
        results.Add(new BenchResult("gpu", $"{what}, hashes of {backwards} gradients of the same micro-batch", trial.DifferentGradients(columns, backwards), 1, "hashes", "one", Bar.AtMost(1)));
        var (read, adam, write) = trial.ExchangeSeconds();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"gpu  {trial.Model}: gradient to the host {read:F3} s, Adam there {adam:F3} s, parameters back {write:F3} s"));
    }

    private static double Peer(GpuTrial trial, int columns)
    {
        using var json = PythonPeer.Run(
            "huggingface.py", "--config", trial.ConfigJson, "--device", trial.DeviceName,
            "--batch", Measurement.Text(trial.BatchSize), "--columns", Measurement.Text(columns), "--rounds", Measurement.Text(trial.Rounds), "--warm-up", Measurement.Text(WarmUp));
        return trial.BatchSize * columns / Measurement.Median(json.RootElement.GetProperty("seconds").EnumerateArray().Select(value => value.GetDouble()));
    }
}

/// <summary>Dense bf16 operations per second of GPUs, as NVIDIA's data sheets have them.</summary>
internal static class GpuPeak
{
    private static readonly (string Name, double TeraOperations)[] s_peaks =
    [
        ("H100 PCIe", 756), ("H100", 989), ("H200", 989), ("H800", 989), ("A100", 312), ("A800", 312), ("L40S", 362), ("L4", 121), ("A10", 125), ("RTX 4090", 165),
    ];

    /// <summary>Of a device; null where it is none of these.</summary>
    public static double? Of(string deviceName)
    {
        var model = DeviceFingerprint.Of(deviceName);
        return deviceName == "cpu" ? null : s_peaks.Where(peak => model.Contains(peak.Name, StringComparison.OrdinalIgnoreCase)).Select(peak => (double?)peak.TeraOperations * 1e12).FirstOrDefault();
    }
}
