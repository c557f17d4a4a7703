using System.Text;
using System.Text.RegularExpressions;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Damage to JSON that mostly leaves it JSON: tokens replaced, members repeated or left out, nesting, odd escapes.</summary>
public static partial class JsonMutation
{
    private static readonly string[] s_tokens =
    [
        "0", "-1", "1", "2", "4", "-0", "1e308", "1e999", "0.5", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616",
        "4611686018427387904", "2147483648", "4294967297", "\"F64\"", "\"I8\"", "\"\"", "\"\\ud800\"", "\"\\u0000\"", "\"\\n\\u001b[31m\"", "\"../x\"", "\"nul\\u0000l\"",
        "null", "true", "[]", "[0,0]", "[0]", "[1,1,1,1]", "[-1]", "[4294967296,4294967296]", "[9223372036854775807,2]", "[0,9223372036854775807]", "{}", "{\"a\":{}}",
    ];

    /// <summary>A few changes.</summary>
    public static byte[] Mutate(Random random, ReadOnlySpan<byte> json)
    {
        var text = Encoding.UTF8.GetString(json);
        for (int changes = random.Next(1, 4); changes > 0; changes--) text = Change(random, text);
        return Encoding.UTF8.GetBytes(text);
    }

    private static string Change(Random random, string text)
    {
        var places = Tokens().Matches(text);
        if (places.Count == 0) return text;
        var place = places[random.Next(places.Count)];
        switch (random.Next(10))
        {
            case 0: return Replace(text, place, places[random.Next(places.Count)].Value);
            case 1: return RepeatMember(random, text);
            case 2: return RemoveMember(random, text);
            case 3: return Replace(text, place, Nested(random));
            case 4: return Replace(text, place, "\"" + new string((char)random.Next('a', 'z'), random.Next(50) == 0 ? random.Next(1 << 20) : random.Next(400)) + "\"");
            case 5 or 6: return ChangeNumber(random, text);
            default: return Replace(text, place, s_tokens[random.Next(s_tokens.Length)]);
        }
    }

    private static string Replace(string text, Match place, string by) => string.Concat(text.AsSpan(0, place.Index), by, text.AsSpan(place.Index + place.Length));

    // One digit more or less decides about holes and overlaps.
    private static string ChangeNumber(Random random, string text)
    {
        var places = Numbers().Matches(text);
        if (places.Count == 0) return text;
        var place = places[random.Next(places.Count)];
        return long.TryParse(place.Value, out long number) ? Replace(text, place, unchecked(number + random.Next(-5, 6)).ToString()) : text;
    }

    private static string RepeatMember(Random random, string text)
    {
        var places = Members().Matches(text);
        if (places.Count == 0) return text;
        return text.Insert(places[random.Next(places.Count)].Index, places[random.Next(places.Count)].Value + ",");
    }

    private static string RemoveMember(Random random, string text)
    {
        var places = Members().Matches(text);
        if (places.Count == 0) return text;
        var place = places[random.Next(places.Count)];
        int end = place.Index + place.Length;
        if (end < text.Length && text[end] == ',') end++;
        return string.Concat(text.AsSpan(0, place.Index), text.AsSpan(end));
    }

    private static string Nested(Random random)
    {
        int depth = random.Next(20) == 0 ? random.Next(100_000) : random.Next(100);
        bool closed = random.Next(4) > 0;
        return random.Next(2) == 0
            ? new string('[', depth) + (closed ? new string(']', depth) : "")
            : string.Concat(Enumerable.Repeat("{\"a\":", Math.Min(depth, 2000))) + "1" + (closed ? new string('}', Math.Min(depth, 2000)) : "");
    }

    [GeneratedRegex("\"[^\"]*\"|-?[0-9][0-9.eE+-]*|true|false|null|\\[[^\\[\\]]*\\]|\\{[^{}]*\\}", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Tokens();

    [GeneratedRegex("-?[0-9]+", RegexOptions.CultureInvariant, 10_000)]
    private static partial Regex Numbers();

    [GeneratedRegex("\"[^\"]*\"\\s*:\\s*(\"[^\"]*\"|-?[0-9][0-9.eE+-]*|true|false|null|\\[[^\\[\\]]*\\]|\\{[^{}]*\\})", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Members();
}
