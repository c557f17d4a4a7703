using System.Globalization;

namespace GenSlmOrleans.Abstractions;

/// <summary>How often a run validates: every so many optimizer steps, or every so many epochs.</summary>
public readonly record struct ValidationInterval(int Count, bool Epochs)
{
    public const string Expected = "a number of steps such as '50', or of epochs such as '1epoch'";

    /// <summary>Reads an interval that has been validated.</summary>
    public static ValidationInterval Parse(string text) =>
        TryParse(text, out var interval) ? interval : throw new FormatException($"'{text}' is not {Expected}.");

    /// <summary>Reads "50", "50steps", "1epoch" or "2 epochs".</summary>
    public static bool TryParse(string text, out ValidationInterval interval)
    {
        var trimmed = text.Trim();
        int digits = trimmed.TakeWhile(char.IsAsciiDigit).Count();
        var unit = trimmed[digits..].Trim().ToLowerInvariant();
        interval = default;
        if (unit is not ("" or "step" or "steps" or "epoch" or "epochs")) return false;
        if (!int.TryParse(trimmed[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count < 1) return false;
        interval = new ValidationInterval(count, unit.StartsWith("epoch", StringComparison.Ordinal));
        return true;
    }
}
