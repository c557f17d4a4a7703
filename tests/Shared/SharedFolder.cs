using Xunit;

namespace GenSlmOrleans.Testing;

/// <summary>Real sequences and reference numerics, where a checkout has the folder <c>shared</c> beside it.</summary>
internal static class SharedFolder
{
    private static readonly string? Root = Find();

    /// <summary>Whether the folder is there.</summary>
    public static bool Exists => Root is not null;

    /// <summary>The path of a shared file; the test is skipped where there are none.</summary>
    public static string File(params ReadOnlySpan<string> parts)
    {
        Assert.SkipWhen(Root is null, "There is no folder 'shared' with reference files.");
        return Path.Combine([Root!, .. parts]);
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("GENSLM_SHARED") is { Length: > 0 } given) return given;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var shared = Path.Combine(folder.FullName, "shared");
            if (Directory.Exists(Path.Combine(shared, "reference"))) return shared;
        }

        return null;
    }
}
