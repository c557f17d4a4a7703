namespace GenSlmOrleans.Client.Options;

/// <summary>The first line of a run file, which tells editors (yaml-language-server) where the schema is.</summary>
internal static class SchemaHint
{
    private static readonly string? Schema = Find();

    /// <summary>The line with its end, the schema's path relative to <paramref name="folder"/>, which the file is written to; empty when there is no schema.</summary>
    public static string For(string folder) =>
        Schema is null ? "" : $"# yaml-language-server: $schema={Path.GetRelativePath(folder, Schema).Replace('\\', '/')}\n";

    // Above the program in a checkout, beside it where it was published.
    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, "docs", "run.schema.json");
            if (File.Exists(path)) return path;
        }

        return null;
    }
}
