using System.Diagnostics;
using System.Globalization;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Optimizer steps in a time in which a process is killed again and again: a cluster that goes on with the silos that are left, beside the way without
/// one, in which everything is ended and begun again from the last checkpoint. Both have as many silos, and a kill as often.
/// </summary>
internal static class GoodputBench
{
    private const int Silos = 3;

    public static async Task RunAsync(Options options, Results results)
    {
        var length = TimeSpan.FromSeconds(options.Number("duration", 600));
        var interval = TimeSpan.FromSeconds(options.Number("kill-every", 15));
        var (model, fasta) = (options.Model("tiny"), options.Text("fasta") ?? Measurement.SampleFasta());
        string[] settings = [fasta, "--model", model, "--shards", "6", "--accumulation-steps", "2", "--threads", "1", "--epochs", "10000", "--val-every", "20", "--limit-val-batches", "1"];
        using var interrupts = new Interrupts();
        try
        {
            long ours = await GoOnAsync(settings, length, interval, interrupts.Token);
            long others = await BeginAgainAsync(settings, length, interval, interrupts.Token);
            results.Add(new BenchResult("goodput", string.Create(CultureInfo.InvariantCulture, $"{model}, {Silos} silos, a kill -9 every {interval.TotalSeconds:F0} s for {length.TotalSeconds:F0} s"), ours, others, "steps", "everything ended and resumed from its last checkpoint at every kill", Bar.AtLeast(3)));
        }
        finally
        {
            ScratchFolder.Clear();
        }
    }

    private static async Task<long> GoOnAsync(string[] settings, TimeSpan length, TimeSpan interval, CancellationToken cancellation)
    {
        var output = ScratchFolder.File("goes-on");
        var consoles = new List<Process>();
        await using var cluster = new ConsoleCluster(ScratchFolder.File("cache"));
        try
        {
            await GenSlmConsole.RunAsync(cancellation, "up", "--silos", Measurement.Text(Silos), "--devices", "cpu");
            await GenSlmConsole.RunAsync(cancellation, ["submit", .. settings, "--output", output, "--detach"]);
            var random = new Random(1);
            return await CountAsync(output, length, interval, () =>
            {
                var live = StandingCluster.Find()!.LiveSilos.ToArray();
                live[random.Next(live.Length)].Process.Kill();
                consoles.Add(Quiet(GenSlmConsole.Start("silo", "--devices", "cpu")));
            }, cancellation);
        }
        finally
        {
            foreach (var console in consoles)
            {
                console.Kill();
                console.Dispose();
            }
        }
    }

    private static async Task<long> BeginAgainAsync(string[] settings, TimeSpan length, TimeSpan interval, CancellationToken cancellation)
    {
        var output = ScratchFolder.File("begins-again");
        // Its silos end with it.
        var console = Quiet(GenSlmConsole.Start(["train", .. settings, "--silos", Measurement.Text(Silos), "--output", output]));
        try
        {
            return await CountAsync(output, length, interval, () =>
            {
                console.Kill();
                console.WaitForExit();
                console.Dispose();
                console = Quiet(GenSlmConsole.Start("resume", output));
            }, cancellation);
        }
        finally
        {
            console.Kill();
            console.WaitForExit();
            console.Dispose();
        }
    }

    // Steps that were done again count once. The first, in which everything starts, is where time begins.
    private static async Task<long> CountAsync(string output, TimeSpan length, TimeSpan interval, Action kill, CancellationToken cancellation)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (MeasuredRun.LastStep(output) == 0) await pace.WaitForNextTickAsync(cancellation);
        long began = Stopwatch.GetTimestamp(), first = MeasuredRun.LastStep(output);
        for (int kills = 1; Stopwatch.GetElapsedTime(began) < length; await pace.WaitForNextTickAsync(cancellation))
        {
            if (Stopwatch.GetElapsedTime(began) < kills * interval) continue;
            kill();
            kills++;
        }

        return MeasuredRun.LastStep(output) - first;
    }

    // What nobody reads would fill its pipe.
    private static Process Quiet(Process process)
    {
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
