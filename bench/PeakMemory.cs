using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>
/// How far the resident memory of a process rises above what it had before, while it loads or converts weights: measured in
/// a process of its own, whose destination is there and touched before.
/// </summary>
internal static class PeakMemory
{
    /// <summary>The bench under which <see cref="Measure"/> is called.</summary>
    public const string Child = "weights-memory";

    /// <summary>The most resident memory of this process since <see cref="StartPeak"/>, in bytes; 0 on systems other than Linux.</summary>
    public static long ResidentPeak => OperatingSystem.IsLinux() ? Status("VmHWM") : 0;

    /// <summary>Sets the kernel's highest mark anew, after a collection, and returns the resident memory now.</summary>
    public static long StartPeak()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        if (!OperatingSystem.IsLinux()) return 0;
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Status("VmRSS");
    }

    /// <summary>Measures loading and converting each file, and prints a line for each.</summary>
    public static void Report(string folder, string model, IEnumerable<string> names)
    {
        if (!OperatingSystem.IsLinux())
        {
            Console.WriteLine("memory  not measured: the kernel's own figures are read, as Linux gives them");
            return;
        }

        foreach (var name in names)
        {
            foreach (var work in (string[])["load", "convert"])
                Console.WriteLine($"memory  {work,-7} {name,-20} {InChild(work, Path.Combine(folder, name), model) / 1e6,6:F1} MB above what was there before");
        }
    }

    /// <summary>The child: does the work and prints the rise in bytes.</summary>
    public static unsafe void Measure(string work, string path, string model)
    {
        var config = ModelPresets.Find(model)!;
        nuint count = work == "load" ? (nuint)GptNeoXStateDict.ParameterCount(config) : 0;
        var destination = (float*)NativeMemory.AllocZeroed(count + 1, sizeof(float));
        for (nuint i = 0; i < count; i += 1024) destination[i] = 1;
        // From here on the kernel's highest mark starts anew.
        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Status("VmRSS");
        if (work == "load") Load(path, config, destination);
        else WeightConversion.Run(path, path + ".converted.pth", new ConversionOptions { ElementType = TensorElementType.BFloat16 });
        Console.WriteLine((Status("VmHWM") - before).ToString(CultureInfo.InvariantCulture));
        NativeMemory.Free(destination);
    }

    private static unsafe void Load(string path, HuggingFaceConfig config, float* destination)
    {
        const int PieceLength = 1 << 20;
        using var vector = FlatVector.OpenParameters(path, config);
        for (long done = 0; done < vector.Count; done += PieceLength)
            vector.Read(done, new Span<float>(destination + done, (int)Math.Min(PieceLength, vector.Count - done)));
    }

    private static long InChild(string work, string path, string model)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        // Started by the dotnet program, the path is that program's, and the assembly its first argument.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(PeakMemory).Assembly.Location);
        foreach (var argument in (string[])[Child, work, path, model]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        File.Delete(path + ".converted.pth");
        return process.ExitCode == 0
            ? long.Parse(output, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"The process that was to {work} {path} ended with exit code {process.ExitCode}.");
    }

    // In kB, whatever the page size.
    private static long Status(string key)
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(key + ":", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(key.Length + 1).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
