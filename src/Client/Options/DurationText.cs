using System.Globalization;

namespace GenSlmOrleans.Client.Options;

/// <summary>Durations as options take them: 90s, 10m, 1h30m.</summary>
internal static class DurationText
{
    /// <exception cref="UsageException">It is none.</exception>
    public static TimeSpan Parse(string key, string text)
    {
        double seconds = 0;
        int start = 0;
        while (start < text.Length)
        {
            int end = start;
            while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.')) end++;
            double unit = end == text.Length ? 0 : text[end] switch { 'h' => 3600, 'm' => 60, 's' => 1, _ => 0 };
            if (unit == 0 || !double.TryParse(text.AsSpan(start, end - start), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)) throw Refused(key, text);
            seconds += value * unit;
            start = end + 1;
        }

        // What a timer takes.
        return text.Length > 0 && seconds <= 45 * 86_400 ? TimeSpan.FromSeconds(seconds) : throw Refused(key, text);
    }

    private static UsageException Refused(string key, string text) => new($"{key} is '{text}'; expected a duration such as 90s, 10m or 1h30m, of 45 days at most.");
}
