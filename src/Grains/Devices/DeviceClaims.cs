namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// The devices of this machine that this process has to itself: for each a locked file, which the operating system unlocks when
/// the process ends, however it ends.
/// </summary>
/// <param name="folder">Where the files are: the same for all silos of the machine.</param>
public sealed class DeviceClaims(string folder) : IDisposable
{
    private const UnixFileMode ForEverybody =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute | UnixFileMode.StickyBit;

    private readonly List<FileStream> _taken = [];

    /// <summary>
    /// Where the files of this machine are. Not in the user's folder for temporary files, which others do not share.
    /// </summary>
    public static string MachineFolder { get; } = Path.Combine(OperatingSystem.IsWindows() ? Path.GetTempPath() : "/tmp", "genslm-devices");

    /// <summary>Why devices could not be claimed and are offered all the same; null: they could.</summary>
    public string? Objection { get; private set; }

    /// <summary>Takes a device for this process; false: another one has it.</summary>
    /// <param name="identity">What every process of the machine calls the device.</param>
    public bool TryTake(string identity)
    {
        var path = Path.Combine(folder, string.Concat(identity.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-' ? letter : '_')));
        try
        {
            EnsureFolder();
            _taken.Add(Open(path));
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            // Locked.
            return false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // In a container whose file system is read-only nobody else is.
            Objection = exception.Message;
            return true;
        }
    }

    private void EnsureFolder()
    {
        if (Directory.Exists(folder)) return;
        Directory.CreateDirectory(folder);
        // The umask does not hold here: silos of other users lock their devices beside ours.
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, ForEverybody);
    }

    // To read, for the file may be another user's, and made only where it is not: Linux refuses to "make" others' files in a folder for everybody.
    private static FileStream Open(string path)
    {
        if (!File.Exists(path))
        {
            try
            {
                return new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                // Another silo was faster; who gets the lock is open.
            }
        }

        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
    }

    /// <summary>Gives all back.</summary>
    public void Dispose()
    {
        foreach (var file in _taken) file.Dispose();
        _taken.Clear();
    }
}
