using System.Collections.Immutable;

namespace GenSlmOrleans.Fuzzing;

/// <summary>A file by its name in the case's folder.</summary>
public sealed record FuzzFile(string Name, byte[] Content);

/// <summary>The files of one case; the first is the one that is opened.</summary>
public sealed record FuzzInput(ImmutableArray<FuzzFile> Files)
{
    public FuzzInput(string name, byte[] content) : this([new FuzzFile(name, content)])
    {
    }

    /// <summary>Bytes of all files.</summary>
    public long SizeBytes => Files.Sum(file => (long)file.Content.Length);
}

/// <summary>What is damaged and then read: damaged files come from <see cref="Create"/>, and every one is read rightly or refused in a sentence.</summary>
public abstract class FuzzTarget
{
    /// <summary>As <c>--target</c> names it.</summary>
    public abstract string Name { get; }

    /// <summary>One damaged input; the same for the same random numbers.</summary>
    public abstract FuzzInput Create(Random random);

    /// <summary>Inputs that are made to cost as much memory or time as the limits leave, by what they do.</summary>
    public virtual IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes => [];

    /// <summary>Whether an exception is our own, meant for the user.</summary>
    public abstract bool IsRefusal(Exception error);

    /// <summary>The product's work, all of it, whose time and memory are measured; returns what <see cref="Check"/> looks at.</summary>
    public abstract object Read(string path);

    /// <summary>Throws <see cref="FuzzFindingException"/> when what was read is not right. Closes what <see cref="Read"/> opened.</summary>
    public abstract void Check(object result, FuzzInput input, string path);

    /// <summary>Called after each case, refused ones included; throws <see cref="FuzzFindingException"/> when something is left behind.</summary>
    public virtual void CleanUp(string folder)
    {
    }
}

/// <summary>A promise that was broken.</summary>
public sealed class FuzzFindingException(string message) : Exception(message)
{
    /// <summary>Throws where a promise does not hold.</summary>
    public static void ThrowUnless(bool holds, string sentence)
    {
        if (!holds) throw new FuzzFindingException(sentence);
    }
}
