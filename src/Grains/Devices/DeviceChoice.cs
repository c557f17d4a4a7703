using System.Collections.Immutable;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>Which of a machine's devices a silo offers. A GPU is offered by one silo of the machine, the CPU by all.</summary>
internal static class DeviceChoice
{
    private const string Cpu = "cpu";

    /// <param name="named">What the silo is told to offer; empty: GPUs that are free, or the CPU where the machine has no GPU.</param>
    /// <param name="here">The machine's devices, as this process sees them.</param>
    /// <param name="silosHere">How many silos share the machine: none takes more than its part of the GPUs.</param>
    /// <param name="tryTake">Takes a GPU for this process; false: another one has it.</param>
    /// <exception cref="ArgumentException">A named device is not here or taken.</exception>
    public static ImmutableArray<string> Choose(IReadOnlyList<string> named, IReadOnlyList<string> here, int silosHere, Func<string, bool> tryTake)
    {
        if (named.Count > 0)
        {
            foreach (var name in named.Where(name => name != Cpu)) Take(name, here, tryTake);
            return [.. named];
        }

        string[] gpus = [.. here.Where(name => name != Cpu)];
        if (gpus.Length == 0) return [.. here];
        int share = (gpus.Length + silosHere - 1) / silosHere;
        return [.. gpus.Where(tryTake).Take(share)];
    }

    private static void Take(string name, IReadOnlyList<string> here, Func<string, bool> tryTake)
    {
        if (!here.Contains(name)) throw new ArgumentException($"--devices names '{name}'; expected devices of this machine, which has {string.Join(", ", here)}.");
        if (!tryTake(name)) throw new ArgumentException($"--devices names '{name}', which another silo of this machine offers; name a free one, or leave it out to offer one that is free.");
    }
}
