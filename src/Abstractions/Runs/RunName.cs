namespace GenSlmOrleans.Abstractions;

/// <summary>What names may be: of runs, which are parts of grain keys, and of checkpoints, which are folders'.</summary>
public static class RunName
{
    /// <summary>The most letters of a name that a user chooses.</summary>
    public const int LongestChosen = 100;

    // A run is called after its output folder: at most 255 letters, and a number where the name is taken.
    private const int LongestOfRun = 270;

    /// <summary>Whether a name may have this letter.</summary>
    public static bool IsLetter(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_';

    /// <summary>What is wrong with a run's name, in a sentence; null when it can be used.</summary>
    public static string? Objection(string? name) => name switch
    {
        null or "" => "The run has no name.",
        { Length: > LongestOfRun } => $"The run's name has {name.Length} letters; at most {LongestOfRun} are allowed.",
        "." or ".." => $"The run's name is '{name}', which means a folder; another is expected.",
        _ when !name.All(IsLetter) => "The run's name has a letter that is none of A-Z, a-z, 0-9, '.', '_' and '-'.",
        _ => null,
    };
}
