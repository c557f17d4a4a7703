namespace GenSlmOrleans.Genomics;

/// <summary>What a random number is for: numbers for different purposes have nothing to do with each other.</summary>
public enum RandomPurpose : uint
{
    Split = 1,
    Shuffle = 2,
    Initialization = 3,
    Simulation = 4,
    Faults = 5,
    Settings = 6,
    Buckets = 7,
}

/// <summary>
/// Random numbers without state: each is a function of (seed, purpose, stream, index), so any of them can be had again, on
/// any machine, in any order. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// </summary>
public static class CounterRandom
{
    internal const uint MultiplierA = 0xD2511F53;
    internal const uint MultiplierB = 0xCD9E8D57;
    internal const uint WeylA = 0x9E3779B9;
    internal const uint WeylB = 0xBB67AE85;
    internal const int Rounds = 10;

    /// <summary>Where in the counter's second word the purpose is.</summary>
    internal const int PurposeShift = 24;

    /// <summary>64 random bits.</summary>
    public static ulong UInt64(ulong seed, RandomPurpose purpose, ulong stream, ulong index) => Pair(seed, purpose, stream, index).First;

    /// <summary>128 random bits. <paramref name="index"/> is below 2^56.</summary>
    public static (ulong First, ulong Second) Pair(ulong seed, RandomPurpose purpose, ulong stream, ulong index)
    {
        var (a, b, c, d) = Philox(
            ((uint)index, (uint)(index >> 32) | ((uint)purpose << PurposeShift), (uint)stream, (uint)(stream >> 32)), ((uint)seed, (uint)(seed >> 32)));
        return (a | ((ulong)b << 32), c | ((ulong)d << 32));
    }

    /// <summary>
    /// A whole number from 0 to <paramref name="bound"/> - 1: the high half of a 64-bit draw times the bound, whose bias,
    /// at most bound / 2^64, no run can see.
    /// </summary>
    public static int Below(int bound, ulong seed, RandomPurpose purpose, ulong stream, ulong index) =>
        (int)Math.BigMul(UInt64(seed, purpose, stream, index), (ulong)bound, out _);

    /// <summary>A number from 0 (included) to 1 (not included), a multiple of 2^-53.</summary>
    public static double Unit(ulong seed, RandomPurpose purpose, ulong stream, ulong index) =>
        (UInt64(seed, purpose, stream, index) >> 11) * (1.0 / 9007199254740992.0);

    /// <summary>The bijection itself: a counter of 128 bits under a key of 64.</summary>
    internal static (uint A, uint B, uint C, uint D) Philox((uint A, uint B, uint C, uint D) counter, (uint A, uint B) key)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong productA = (ulong)MultiplierA * counter.A, productB = (ulong)MultiplierB * counter.C;
            counter = ((uint)(productB >> 32) ^ counter.B ^ key.A, (uint)productB, (uint)(productA >> 32) ^ counter.D ^ key.B, (uint)productA);
            key = (key.A + WeylA, key.B + WeylB);
        }

        return counter;
    }
}
