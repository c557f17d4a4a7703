using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Options;

/// <summary>Values of enumerations by the words that listings use for them.</summary>
internal static class ChoiceText
{
    /// <summary>All words, in order.</summary>
    public static string[] Words<T>()
        where T : struct, Enum => [.. Enum.GetValues<T>().Select(Listing.Word)];

    /// <summary>The value that a word means.</summary>
    /// <exception cref="UsageException">None; the message names <paramref name="what"/>, the choices and the nearest.</exception>
    public static T Parse<T>(string what, string word)
        where T : struct, Enum
    {
        var words = Words<T>();
        int index = Array.IndexOf(words, word);
        return index >= 0
            ? Enum.GetValues<T>()[index]
            : throw new UsageException($"{what} is '{word}'; expected one of {string.Join(", ", words)}. Did you mean {NearestName.Of(word, words)}?");
    }
}
