namespace GenSlmOrleans.Formats;

/// <summary>A ledger that is not what it should be: one sentence that names the file, line or step, what was found and what is expected.</summary>
public sealed class LedgerException(string message, Exception? innerException = null) : Exception(message, innerException);
