using System.Globalization;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>
/// Places at which 'genslm chaos' can make a fault strike. Off unless GENSLM_FAULT_POINTS names a folder; then a silo that
/// comes by such a place looks there for a file <c>PID.PHASE</c> or <c>any.PHASE</c>, which holds the step from which on it
/// counts and, behind a blank, what is to happen: <c>wait SECONDS</c>, the first to come stays where it is until the file is gone,
/// for so long at most; <c>slow SECONDS</c>, so does everybody each time; <c>flip</c>, a bit of the block at hand is flipped, once;
/// <c>fail 0</c>, the first to come fails there; <c>poison 0</c>, so does everybody each time.
/// Whoever is the first says so in <c>PID.PHASE.reached</c> ("PID STEP").
/// </summary>
internal static class FaultPoint
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("GENSLM_FAULT_POINTS") is { Length: > 0 } folder ? folder : null;

    /// <summary>Whether anything may happen anywhere.</summary>
    public static bool IsOn => Folder is not null;

    // In the mantissa, where bf16 has it, too.
    private const int FlippedBit = 1 << 18;

    private readonly record struct Order(long FirstStep, string Word, TimeSpan Longest);

    /// <summary>Called where a grain comes by <paramref name="phase"/> of <paramref name="step"/>.</summary>
    public static Task ReachAsync(FaultPhase phase, long step) => Folder is null ? Task.CompletedTask : OnThreadOfItsOwn(() => Reach(phase, step));

    /// <summary>The same with a block that can be damaged.</summary>
    public static Task ReachAsync(FaultPhase phase, long step, Block block) => Folder is null ? Task.CompletedTask : OnThreadOfItsOwn(() => Reach(phase, step, block));

    /// <summary>The same for work that has a thread of its own.</summary>
    public static void Reach(FaultPhase phase, long step) => Reach(phase, step, null);

    // It may stay there for long, and the pool is not ours.
    private static Task OnThreadOfItsOwn(Action reach) => Task.Factory.StartNew(reach, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Reach(FaultPhase phase, long step, Block? block)
    {
        if (Folder is null) return;
        var word = JsonNamingPolicy.KebabCaseLower.ConvertName(phase.ToString());
        foreach (var who in (string[])[Environment.ProcessId.ToString(CultureInfo.InvariantCulture), "any"])
        {
            var armed = Path.Combine(Folder, $"{who}.{word}");
            if (Read(armed) is not { } order || step < order.FirstStep) continue;
            bool isFirst = Claim(armed, step);
            if (!isFirst && order.Word is not ("slow" or "poison")) continue;
            if (order.Word is "fail" or "poison") throw new InvalidOperationException($"A fault was asked for at {word}.");
            if (order.Word == "flip" && block is not null) Flip(block);
            SpinWait.SpinUntil(() => !File.Exists(armed), order.Longest);
            return;
        }
    }

    private static Order? Read(string armed)
    {
        try
        {
            if (!File.Exists(armed)) return null;
            var words = File.ReadAllText(armed).Split(' ');
            return words.Length == 3 && long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
                && double.TryParse(words[2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
                ? new Order(step, words[1], TimeSpan.FromSeconds(seconds))
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // Of the largest value: a zero would become a number that nothing notices, and that changes nothing.
    private static void Flip(Block block)
    {
        var values = block.Values;
        int largest = 0;
        for (int i = 1; i < values.Length; i++)
            if (Math.Abs(values[i]) > Math.Abs(values[largest])) largest = i;
        values[largest] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(values[largest]) ^ FlippedBit);
    }

    // Of several that come by, one creates the file.
    private static bool Claim(string armed, long step)
    {
        try
        {
            using var claim = new FileStream($"{armed}.reached", FileMode.CreateNew, FileAccess.Write);
            claim.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {step}\n")));
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
