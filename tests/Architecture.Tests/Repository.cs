namespace GenSlmOrleans.Architecture.Tests;

/// <summary>The repository's own files, as a reader finds them.</summary>
internal static class Repository
{
    private static readonly string[] NotOurs = ["artifacts", "bin", "obj", ".git", "runs", "node_modules"];

    public static string Root { get; } = FindRoot();

    /// <summary>Files with one of the endings, as paths from the root with slashes.</summary>
    public static IEnumerable<string> Files(params string[] endings) => Walk(new DirectoryInfo(Root))
        .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'))
        .Where(path => endings.Length == 0 || endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal)))
        .Order(StringComparer.Ordinal);

    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    public static string Text(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder) => folder.EnumerateFiles()
        .Concat(folder.EnumerateDirectories().Where(inner => !NotOurs.Contains(inner.Name)).SelectMany(Walk));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "GenSlmOrleans.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
