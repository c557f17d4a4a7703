using System.Text.RegularExpressions;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>A container's variables as the kubelet makes them: config maps first, then <c>env</c> in order, each seeing those before it.</summary>
internal static partial class PodEnvironment
{
    public const string PodName = "genslm-silo-cpu-7d9c5b8f6-x2k4q";
    public const string PodAddress = "127.0.0.1";
    public const string Password = "0123456789abcdef";

    /// <summary>The variables of the silo's container.</summary>
    public static IReadOnlyDictionary<string, string> Of(Overlay overlay)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var source in overlay.Silo.EnvFrom)
            foreach (var (name, value) in overlay.Find<V1ConfigMap>(source.ConfigMapRef.Name).Data)
                Assert.True(variables.TryAdd(name, value), $"{name} is set twice");
        foreach (var variable in overlay.Silo.Env)
            Assert.True(variables.TryAdd(variable.Name, Value(variable, variables)), $"{variable.Name} is set twice");
        return variables;
    }

    /// <summary>The silo's options that the variables are, as it takes them on its command line.</summary>
    public static string[] Options(IReadOnlyDictionary<string, string> variables) =>
    [
        .. variables.Where(variable => variable.Key.StartsWith(Prefix, StringComparison.Ordinal) && !ReadByTheConsole.Contains(variable.Key))
            .SelectMany(variable => (string[])[$"--{variable.Key[Prefix.Length..].ToLowerInvariant().Replace('_', '-')}", variable.Value]),
    ];

    private const string Prefix = "GENSLM_";

    private static readonly string[] ReadByTheConsole = ["GENSLM_GATEWAY"];

    private static string Value(V1EnvVar variable, Dictionary<string, string> earlier)
    {
        if (variable.ValueFrom is not { } source) return Reference().Replace(variable.Value, match => Earlier(variable.Name, match.Groups["name"].Value, earlier));
        if (source.SecretKeyRef is not null) return Password;
        return source.FieldRef?.FieldPath switch
        {
            "metadata.name" => PodName,
            "status.podIP" => PodAddress,
            var other => throw new InvalidOperationException($"{variable.Name} comes from {other ?? "somewhere"}, which these tests do not know."),
        };
    }

    private static string Earlier(string variable, string name, Dictionary<string, string> earlier)
    {
        Assert.True(earlier.ContainsKey(name), $"{variable} refers to {name}, which is not set before it");
        return earlier[name];
    }

    [GeneratedRegex(@"\$\((?<name>[A-Za-z_][A-Za-z0-9_]*)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reference();
}
