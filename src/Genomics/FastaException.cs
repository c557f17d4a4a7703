namespace GenSlmOrleans.Genomics;

/// <summary>Sequence data that cannot be used: one sentence that names file and line, what was found and what is expected.</summary>
public sealed class FastaException(string message) : Exception(message);
