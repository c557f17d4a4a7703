namespace GenSlmOrleans.Grains.Sites;

/// <summary>FNV-1a over a text's UTF-16 units: the same in every process, unlike <see cref="string.GetHashCode()"/>.</summary>
internal static class StableHash
{
    public static uint Of(string text)
    {
        uint hash = 2166136261;
        foreach (char letter in text) hash = unchecked((hash ^ letter) * 16777619);
        return hash;
    }
}
