using System.Collections.Immutable;
using System.IO.Enumeration;

namespace GenSlmOrleans.Genomics;

/// <summary>File names as a shell expands them: <c>*</c> and <c>?</c> in any part of a path, <c>**</c> for folders at any depth.</summary>
public static class FilePatterns
{
    private const string AnyDepth = "**";

    /// <summary>
    /// The files that <paramref name="patterns"/> name, as full paths: those of each pattern sorted (ordinal), the patterns in the order given. A
    /// file whose very name it is comes before what it means as a pattern.
    /// </summary>
    /// <exception cref="FastaException">A pattern matches nothing, or a file is named twice.</exception>
    public static ImmutableArray<string> Expand(IEnumerable<string> patterns)
    {
        var files = ImmutableArray.CreateBuilder<string>();
        foreach (var pattern in patterns)
        {
            if (!IsPattern(pattern) || File.Exists(pattern))
            {
                files.Add(Path.GetFullPath(pattern));
                continue;
            }

            int before = files.Count;
            files.AddRange(Matches(Path.GetFullPath(pattern)).Order(StringComparer.Ordinal));
            if (files.Count == before) throw new FastaException($"No file matches {pattern}; expected at least one FASTA or HDF5 file.");
        }

        if (files.GroupBy(file => file, StringComparer.Ordinal).FirstOrDefault(same => same.Skip(1).Any()) is { } twice)
            throw new FastaException($"{twice.Key} is named twice; its records would count twice.");
        return files.ToImmutable();
    }

    /// <summary>Whether a name may stand for several files.</summary>
    public static bool IsPattern(string path) => path.AsSpan().ContainsAny('*', '?');

    private static IEnumerable<string> Matches(string pattern)
    {
        var root = Path.GetPathRoot(pattern)!;
        var parts = pattern[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> folders = [root];
        foreach (var part in parts[..^1]) folders = folders.SelectMany(folder => Folders(folder, part)).Distinct(StringComparer.Ordinal).ToArray();
        return folders.SelectMany(folder => Files(folder, parts[^1])).Distinct(StringComparer.Ordinal);
    }

    private static IEnumerable<string> Folders(string folder, string part)
    {
        if (part == AnyDepth) return [folder, .. Entries(folder, "*", everywhere: true, folders: true)];
        var inside = Path.Combine(folder, part);
        if (!IsPattern(part)) return Directory.Exists(inside) ? [inside] : [];
        return Entries(folder, part, everywhere: false, folders: true);
    }

    private static IEnumerable<string> Files(string folder, string part)
    {
        if (part == AnyDepth) return Entries(folder, "*", everywhere: true, folders: false);
        var inside = Path.Combine(folder, part);
        if (!IsPattern(part)) return File.Exists(inside) ? [inside] : [];
        return Entries(folder, part, everywhere: false, folders: false);
    }

    private static FileSystemEnumerable<string> Entries(string folder, string pattern, bool everywhere, bool folders) => new(
        folder,
        (ref FileSystemEntry entry) => entry.ToFullPath(),
        new EnumerationOptions { RecurseSubdirectories = everywhere, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.System })
    {
        // As in a shell, what is hidden is not meant.
        ShouldIncludePredicate = (ref FileSystemEntry entry) =>
            entry.IsDirectory == folders && entry.FileName[0] != '.' && FileSystemName.MatchesSimpleExpression(pattern, entry.FileName, ignoreCase: false),
        ShouldRecursePredicate = (ref FileSystemEntry entry) => entry.FileName[0] != '.',
    };
}
