using System.Runtime.InteropServices;

namespace GenSlmOrleans.Training.Tests;

/// <summary>Random numbers that are the same in every version of the library (SplitMix64).</summary>
internal sealed class Numbers(ulong seed)
{
    private ulong _state = seed;

    /// <summary>A number below <paramref name="limit"/>.</summary>
    public int Below(int limit) => (int)(Next() % (ulong)limit);

    /// <summary>Values from -1 to 1, times a power of ten up to ±<paramref name="decades"/>: sums of them depend on their order.</summary>
    public float[] Floats(int count, int decades = 0)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (float)(((Next() >> 40) * (2.0 / (1 << 24)) - 1) * (decades == 0 ? 1 : Math.Pow(10, Below((2 * decades) + 1) - decades)));
        return values;
    }

    /// <summary>The values in another order.</summary>
    public T[] Shuffled<T>(IEnumerable<T> values)
    {
        T[] all = [.. values];
        for (int i = all.Length - 1; i > 0; i--)
        {
            int other = Below(i + 1);
            (all[i], all[other]) = (all[other], all[i]);
        }

        return all;
    }

    /// <summary>The values' bits, for comparisons that tell -0 from 0 and know NaN.</summary>
    public static uint[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, uint>(values).ToArray();

    private ulong Next()
    {
        ulong z = _state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
