namespace GenSlmOrleans.Abstractions;

/// <summary>What a silo's process ends with, beyond 0 (it has left in order) and 1 (it did not start).</summary>
public static class SiloExitCode
{
    /// <summary>A device of it computes nothing any more in this process, and may in another: EX_TEMPFAIL of sysexits.h, try again.</summary>
    public const int DevicePoisoned = 75;
}
