using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace GenSlmOrleans.Genomics;

/// <summary>Random words of many streams at a time, each of them as <see cref="CounterRandom"/> has it: a lane of the processor's vectors for each stream.</summary>
public static class CounterWords
{
    /// <summary>
    /// For streams <paramref name="stream"/>, <paramref name="stream"/> + 1, …: the sum of the four words of 32 bits of each of the
    /// draws 0, …, <paramref name="draws"/> - 1.
    /// </summary>
    public static void Sum(ulong seed, RandomPurpose purpose, ulong stream, int draws, Span<ulong> sums)
    {
        int done = Avx512F.IsSupported ? Sum512(seed, purpose, stream, draws, sums)
            : Avx2.IsSupported ? Sum256(seed, purpose, stream, draws, sums) : 0;
        SumOneByOne(seed, purpose, stream + (ulong)done, draws, sums[done..]);
    }

    internal static void SumOneByOne(ulong seed, RandomPurpose purpose, ulong stream, int draws, Span<ulong> sums)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            ulong sum = 0;
            for (int draw = 0; draw < draws; draw++)
            {
                var (first, second) = CounterRandom.Pair(seed, purpose, stream + (ulong)i, (ulong)draw);
                sum += (first >> 32) + (uint)first + (second >> 32) + (uint)second;
            }

            sums[i] = sum;
        }
    }

    /// <summary>As many whole vectors of 8 as there are; returns how many streams that was.</summary>
    internal static int Sum512(ulong seed, RandomPurpose purpose, ulong stream, int draws, Span<ulong> sums)
    {
        ref ulong start = ref MemoryMarshal.GetReference(sums);
        var (multiplierA, multiplierB) = (Vector512.Create((ulong)CounterRandom.MultiplierA).AsUInt32(), Vector512.Create((ulong)CounterRandom.MultiplierB).AsUInt32());
        var word = Vector512.Create((ulong)uint.MaxValue);
        var streams = Vector512.Create(stream) + Vector512<ulong>.Indices;
        int end = sums.Length - (sums.Length % Vector512<ulong>.Count);
        for (int i = 0; i < end; i += Vector512<ulong>.Count)
        {
            var sum = Vector512<ulong>.Zero;
            for (int draw = 0; draw < draws; draw++)
            {
                // The upper halves of the lanes hold what nobody reads: a multiplication takes the lower ones.
                var (a, b, c, d) = (Vector512.Create((ulong)draw), Vector512.Create((ulong)purpose << CounterRandom.PurposeShift), streams, streams >>> 32);
                var (keyA, keyB) = ((uint)seed, (uint)(seed >> 32));
                for (int round = 0; round < CounterRandom.Rounds; round++)
                {
                    var (productA, productB) = (Avx512F.Multiply(a.AsUInt32(), multiplierA), Avx512F.Multiply(c.AsUInt32(), multiplierB));
                    (a, b, c, d) = ((productB >>> 32) ^ b ^ Vector512.Create((ulong)keyA), productB, (productA >>> 32) ^ d ^ Vector512.Create((ulong)keyB), productA);
                    (keyA, keyB) = (keyA + CounterRandom.WeylA, keyB + CounterRandom.WeylB);
                }

                sum += (a & word) + (b & word) + (c & word) + (d & word);
            }

            sum.StoreUnsafe(ref start, (nuint)i);
            streams += Vector512.Create((ulong)Vector512<ulong>.Count);
        }

        return end;
    }

    /// <summary>As many whole vectors of 4 as there are; returns how many streams that was.</summary>
    internal static int Sum256(ulong seed, RandomPurpose purpose, ulong stream, int draws, Span<ulong> sums)
    {
        ref ulong start = ref MemoryMarshal.GetReference(sums);
        var (multiplierA, multiplierB) = (Vector256.Create((ulong)CounterRandom.MultiplierA).AsUInt32(), Vector256.Create((ulong)CounterRandom.MultiplierB).AsUInt32());
        var word = Vector256.Create((ulong)uint.MaxValue);
        var streams = Vector256.Create(stream) + Vector256<ulong>.Indices;
        int end = sums.Length - (sums.Length % Vector256<ulong>.Count);
        for (int i = 0; i < end; i += Vector256<ulong>.Count)
        {
            var sum = Vector256<ulong>.Zero;
            for (int draw = 0; draw < draws; draw++)
            {
                var (a, b, c, d) = (Vector256.Create((ulong)draw), Vector256.Create((ulong)purpose << CounterRandom.PurposeShift), streams, streams >>> 32);
                var (keyA, keyB) = ((uint)seed, (uint)(seed >> 32));
                for (int round = 0; round < CounterRandom.Rounds; round++)
                {
                    var (productA, productB) = (Avx2.Multiply(a.AsUInt32(), multiplierA), Avx2.Multiply(c.AsUInt32(), multiplierB));
                    (a, b, c, d) = ((productB >>> 32) ^ b ^ Vector256.Create((ulong)keyA), productB, (productA >>> 32) ^ d ^ Vector256.Create((ulong)keyB), productA);
                    (keyA, keyB) = (keyA + CounterRandom.WeylA, keyB + CounterRandom.WeylB);
                }

                sum += (a & word) + (b & word) + (c & word) + (d & word);
            }

            sum.StoreUnsafe(ref start, (nuint)i);
            streams += Vector256.Create((ulong)Vector256<ulong>.Count);
        }

        return end;
    }
}
