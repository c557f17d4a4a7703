namespace GenSlmOrleans.Formats.Tests;

/// <summary>The reference files computed by PyTorch and transformers, where a checkout has them beside it.</summary>
internal static class SharedReference
{
    /// <summary>The folder, from GENSLM_SHARED or the nearest <c>shared</c> beside a folder above; null when there is none.</summary>
    public static string? Folder { get; } = Find();

    /// <summary>The path of a reference file; the test is skipped where there are none.</summary>
    public static string File(params ReadOnlySpan<string> parts)
    {
        Assert.SkipWhen(Folder is null, "There is no folder 'shared' with reference files.");
        return Path.Combine([Folder!, .. parts]);
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("GENSLM_SHARED") is { Length: > 0 } given) return Reference(given);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Reference(Path.Combine(folder.FullName, "shared")) is { } found) return found;
        }

        return null;
    }

    private static string? Reference(string shared) =>
        Directory.Exists(Path.Combine(shared, "reference")) ? Path.Combine(shared, "reference") : null;
}
