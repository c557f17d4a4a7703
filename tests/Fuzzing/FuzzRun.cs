namespace GenSlmOrleans.Fuzzing;

/// <summary>What a case did.</summary>
/// <param name="Accepted">Read, and right; otherwise refused, or a finding.</param>
/// <param name="Finding">What went wrong; null when nothing did.</param>
/// <param name="Time">Processor time of the thread.</param>
/// <param name="AllocatedBytes">Managed memory that the product allocated, garbage included.</param>
/// <param name="HeldBytes">What it held at once at most: measured where it allocated more than is allowed, else the same.</param>
public readonly record struct FuzzOutcome(bool Accepted, string? Finding, TimeSpan Time, long AllocatedBytes, long HeldBytes);

/// <summary>Runs the cases of one target in a folder of its own.</summary>
public sealed class FuzzRun(FuzzTarget target, string folder)
{
    /// <summary>Processor time that a case may take.</summary>
    public static readonly TimeSpan MostTime = TimeSpan.FromSeconds(2);

    private const int LongestSentence = 1000;
    private const long FixedMemory = 64_000_000;

    /// <summary>Memory that reading an input may take: twice its files and 64 MB.</summary>
    public static long MostMemory(FuzzInput input) => 2 * input.SizeBytes + FixedMemory;

    /// <summary>The numbers from which a case is made; consecutive seeds of <see cref="Random"/> alone resemble each other.</summary>
    public static Random RandomOf(int seed, int number)
    {
        ulong mixed = unchecked(((ulong)(uint)seed << 32 | (uint)number) * 0x9e3779b97f4a7c15);
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9);
        return new Random((int)(mixed >> 33));
    }

    /// <summary>Writes an input to the folder, where it stays until the next one, and reads it.</summary>
    public FuzzOutcome Try(FuzzInput input)
    {
        foreach (var file in input.Files) File.WriteAllBytes(Path.Combine(folder, file.Name), file.Content);
        var path = Path.Combine(folder, input.Files[0].Name);
        var measured = Read(input, path);
        if (measured.Finding is not null || measured.AllocatedBytes <= MostMemory(input)) return measured;

        // Much was allocated, but how much was held at once? Reading it again under a collector that looks all the time tells.
        object? result = null;
        long held = LiveMemory.PeakDuring(() => result = ReadAgain(path));
        measured = measured with { Finding = Check(result, input, path) };
        return held <= MostMemory(input)
            ? measured with { HeldBytes = held }
            : measured with { HeldBytes = held, Finding = $"It held {held / 1e6:F1} MB; at most {MostMemory(input) / 1e6:F1} MB are allowed for {input.SizeBytes:N0} bytes." };
    }

    private FuzzOutcome Read(FuzzInput input, string path)
    {
        string? finding = null;
        object? result = null;
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        var start = ThreadClock.Now;
        try
        {
            result = target.Read(path);
        }
        catch (Exception error)
        {
            finding = target.IsRefusal(error) ? WhatIsWrongWith(error.Message) : error.ToString();
        }

        var time = ThreadClock.Now - start;
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        finding ??= Check(result, input, path);
        if (time > MostTime) finding ??= $"It took {time.TotalSeconds:F1} s of processor time; at most {MostTime.TotalSeconds:F0} s are allowed.";
        return new FuzzOutcome(result is not null, finding, time, allocated, allocated);
    }

    private object? ReadAgain(string path)
    {
        try
        {
            return target.Read(path);
        }
        catch (Exception error) when (target.IsRefusal(error))
        {
            return null;
        }
    }

    private string? Check(object? result, FuzzInput input, string path)
    {
        string? finding = null;
        try
        {
            if (result is not null) target.Check(result, input, path);
        }
        catch (Exception error)
        {
            finding = error is FuzzFindingException ? error.Message : $"What was accepted cannot be used: {error}";
        }

        try
        {
            target.CleanUp(folder);
        }
        catch (FuzzFindingException error)
        {
            finding ??= error.Message;
        }

        return finding;
    }

    // A sentence for a person: it names the file, and nothing in it disturbs a terminal.
    private string? WhatIsWrongWith(string message)
    {
        if (!message.Contains(folder, StringComparison.Ordinal)) return $"The refusal names no file: {message}";
        if (message.Length > folder.Length + LongestSentence) return $"The refusal has {message.Length} characters.";
        return message.Any(char.IsControl) ? $"The refusal has control characters: {string.Concat(message.Select(letter => char.IsControl(letter) ? $"<{(int)letter:x2}>" : letter.ToString()))}" : null;
    }
}
