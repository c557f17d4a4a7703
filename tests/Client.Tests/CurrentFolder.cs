namespace GenSlmOrleans.Client.Tests;

/// <summary>Another current folder for the length of a test, as for a user who calls genslm there.</summary>
internal sealed class CurrentFolder : IDisposable
{
    private readonly string _before = Environment.CurrentDirectory;

    public CurrentFolder(string path) => Environment.CurrentDirectory = path;

    /// <summary>Where the repository is.</summary>
    public static string Root { get; } = FindRoot();

    public void Dispose() => Environment.CurrentDirectory = _before;

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "GenSlmOrleans.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
