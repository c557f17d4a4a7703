namespace GenSlmOrleans.Client.Commands;

/// <summary>The question before what cannot be undone.</summary>
internal static class Confirmation
{
    /// <summary>Whether the answer is yes; nothing said means no.</summary>
    /// <param name="question">What is about to be done, as a question.</param>
    /// <param name="isTerminal">Whether there is someone to answer.</param>
    /// <param name="input">Where the answer comes from.</param>
    /// <param name="output">Where the question goes.</param>
    /// <exception cref="UsageException">There is nobody to ask.</exception>
    public static bool Ask(string question, bool isTerminal, TextReader input, TextWriter output)
    {
        if (!isTerminal) throw new UsageException($"{question} There is no terminal to ask at; --yes says so.");
        output.Write($"{question} [y/N] ");
        return input.ReadLine()?.Trim().ToUpperInvariant() is "Y" or "YES";
    }
}
