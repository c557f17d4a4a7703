namespace GenSlmOrleans.Formats;

/// <summary>
/// A weight file, archive or configuration whose content is not what it should be. The message is one sentence that
/// names the file, says what was found and what is expected; it can be shown to a user as it is.
/// </summary>
public sealed class WeightFileException(string message, Exception? innerException = null) : Exception(message, innerException);
