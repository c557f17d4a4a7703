namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Recognises the operating system's word for a full disk or an exhausted quota.</summary>
internal static class DiskFull
{
    private const int LinuxNoSpace = 28;
    private const int LinuxQuota = 122;
    private const int MacQuota = 69;
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);

    public static bool Is(IOException exception) =>
        exception.HResult is LinuxNoSpace or LinuxQuota or MacQuota or WindowsDiskFull or WindowsHandleDiskFull;

    /// <summary>The same word, where it is known without asking.</summary>
    public static IOException Of(string path) => new($"There is no room on the disk of {path}.", LinuxNoSpace);
}
