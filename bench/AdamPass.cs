using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>One fused Adam pass over as many parameters as a model has, in native memory: what a step costs at the least.</summary>
internal sealed class AdamPass : IDisposable
{
    private readonly NativeVector[][] _vectors;
    private readonly int _length;
    private int _steps;

    /// <param name="parameters">How many.</param>
    /// <param name="copies">How many of it at once, a thread each; one copy is shared by all threads.</param>
    /// <param name="threads">Threads of a single copy.</param>
    public AdamPass(long parameters, int copies, int threads)
    {
        int parts = copies == 1 ? threads : copies;
        _length = (int)(copies == 1 ? parameters / threads : parameters);
        _vectors = [.. Enumerable.Range(0, parts).Select(_ => Enumerable.Range(0, 4).Select(_ => new NativeVector(_length)).ToArray())];
        // First touched by the thread that works on it.
        OnThreads(vectors =>
        {
            foreach (var vector in vectors) vector.Values.Fill(1e-3f);
        });
    }

    /// <summary>Seconds of one pass.</summary>
    public double Seconds()
    {
        var step = AdamStep.Create(new AdamOptions(), ++_steps, 1e-4, 1);
        return Measurement.Seconds(() => OnThreads(vectors => FusedAdam.Apply(vectors[0].Values, vectors[1].Values, vectors[2].Values, vectors[3].Values, step)));
    }

    private void OnThreads(Action<NativeVector[]> work)
    {
        var threads = _vectors.Select(vectors => new Thread(() => work(vectors))).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
    }

    public void Dispose()
    {
        foreach (var vector in _vectors.SelectMany(vectors => vectors)) vector.Free();
    }
}
