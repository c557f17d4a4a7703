using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using CsCheck;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Values of any type of the wire, drawn property by property: whatever a record gains, it is drawn too.</summary>
internal static class AnyValue
{
    private static readonly DateTimeOffset Epoch = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly Gen<string> Text = Gen.Frequency(
        (2, One("", "2024-01-01T00:00:00Z", "NaN", "$type", "null", "a\nb", "0", "é\u0001\"\\")),
        (2, Gen.String[Gen.Char[' ', '\ud7ff'], 0, 12]));

    private static readonly Gen<double> Number = Gen.Frequency(
        (2, One(0.0, -0.0, double.NaN, double.PositiveInfinity, double.Epsilon, double.MaxValue, 1e-5)), (2, Gen.Double));

    /// <summary>Draws values of <paramref name="type"/>; every setting of it is drawn, or found to be of a type that is not known here.</summary>
    public static Gen<object?> Of(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner) return Gen.Frequency((1, Gen.Const((object?)null)), (2, Of(inner)));
        if (type == typeof(string)) return Text.Select(text => (object?)text);
        if (type == typeof(bool)) return Gen.Bool.Select(value => (object?)value);
        if (type == typeof(int)) return Gen.Frequency((1, One(0, 1, int.MaxValue, int.MinValue)), (1, Gen.Int)).Select(value => (object?)value);
        if (type == typeof(long)) return Gen.Frequency((1, One(0L, 1, long.MaxValue, long.MinValue)), (1, Gen.Long)).Select(value => (object?)value);
        if (type == typeof(ulong)) return Gen.Frequency((1, One(0UL, ulong.MaxValue, 1UL << 63)), (1, Gen.ULong)).Select(value => (object?)value);
        if (type == typeof(double)) return Number.Select(value => (object?)value);
        if (type == typeof(DateTimeOffset)) return Gen.Long[0, TimeSpan.TicksPerDay * 3650].Select(ticks => (object?)Epoch.AddTicks(ticks));
        if (type.IsEnum) return One(Enum.GetValues(type).Cast<object?>().ToArray());
        if (ElementOf(type) is { } element) return Of(element).Array[0, 3].Select(values => (object?)List(type, element, values));
        return Record(type);
    }

    /// <summary>All that a value consists of, in text: equal for equal values.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "null",
        double number => number.ToString("R", CultureInfo.InvariantCulture) + (double.IsNegative(number) ? "-" : ""),
        string text => $"'{text}'",
        DateTimeOffset time => time.ToString("O", CultureInfo.InvariantCulture),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Describe))}]",
        IFormattable plain => plain.ToString(null, CultureInfo.InvariantCulture),
        bool flag => flag ? "true" : "false",
        _ => $"{{{string.Join(", ", Settings(value.GetType()).Select(property => $"{property.Name}: {Describe(property.GetValue(value))}"))}}}",
    };

    /// <summary>One of some values.</summary>
    public static Gen<T> One<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>The properties that make a record.</summary>
    public static ImmutableArray<PropertyInfo> Settings(Type type) =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite)];

    private static Gen<object?> Record(Type type)
    {
        Assert.True(type.Namespace!.StartsWith("GenSlmOrleans", StringComparison.Ordinal), $"{type} is stored, and this test cannot draw one");
        var nullability = new NullabilityInfoContext();
        var constructor = type.GetConstructors().OrderBy(known => known.GetParameters().Length).First();
        var arguments = constructor.GetParameters().Select(parameter => Of(parameter.ParameterType)).ToArray();
        var settings = Settings(type);
        var values = settings.Select(property =>
            nullability.Create(property).ReadState == NullabilityState.Nullable && !property.PropertyType.IsValueType
                ? Gen.Frequency((1, Gen.Const((object?)null)), (3, Of(property.PropertyType)))
                : Of(property.PropertyType)).ToArray();
        return All(arguments).SelectMany(drawn => All(values).Select(set =>
        {
            var record = constructor.Invoke(drawn);
            foreach (var (property, value) in settings.Zip(set)) property.SetValue(record, value);
            return (object?)record;
        }));
    }

    private static Gen<object?[]> All(Gen<object?>[] gens) => gens.Aggregate(
        Gen.Const(Array.Empty<object?>()), (all, gen) => all.SelectMany(drawn => gen.Select(value => (object?[])[.. drawn, value])));

    private static Type? ElementOf(Type type) =>
        type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(ImmutableArray<>) || type.GetGenericTypeDefinition() == typeof(List<>))
            ? type.GetGenericArguments()[0]
            : null;

    private static object List(Type type, Type element, object?[] values)
    {
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(element))!;
        foreach (var value in values) list.Add(value);
        if (type.GetGenericTypeDefinition() == typeof(List<>)) return list;
        var create = typeof(ImmutableArray).GetMethods().Single(method => method.Name == nameof(ImmutableArray.CreateRange) && method.GetParameters() is [{ ParameterType.Name: "IEnumerable`1" }]);
        return create.MakeGenericMethod(element).Invoke(null, [list])!;
    }
}
