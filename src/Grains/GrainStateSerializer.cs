using System.Collections.Immutable;
using System.Reflection;
using GenSlmOrleans.Abstractions;
using Microsoft.Extensions.Options;
using Newtonsoft.Json;
using Newtonsoft.Json.Serialization;
using Orleans.Serialization;
using Orleans.Storage;

namespace GenSlmOrleans.Grains;

/// <summary>
/// How grain state is stored: Orleans' JSON with every value in it, those included that Orleans leaves out (0, false, the
/// first word of an enumeration), in whose place reading put the property's own default. JSON, not Orleans' binary form, so
/// that in a rolling update silos of the version before read what this one writes, and an operator too.
/// </summary>
public sealed class GrainStateSerializer : IGrainStorageSerializer
{
    private readonly JsonGrainStorageSerializer _json;

    /// <param name="services">The silo's: types and grain references are resolved by them.</param>
    public GrainStateSerializer(IServiceProvider services)
    {
        var settings = OrleansJsonSerializerSettings.GetDefaultSerializerSettings(services);
        settings.DefaultValueHandling = DefaultValueHandling.Include;
        settings.NullValueHandling = NullValueHandling.Include;
        settings.ContractResolver = new EveryValue();
        _json = new JsonGrainStorageSerializer(new OrleansJsonSerializer(Options.Create(new OrleansJsonSerializerOptions { JsonSerializerSettings = settings })));
    }

    public BinaryData Serialize<T>(T? input) => _json.Serialize(input);

    public T? Deserialize<T>(BinaryData input) => _json.Deserialize<T>(input);

    private sealed class EveryValue : DefaultContractResolver
    {
        // The version before left out what equals the type's default: where one of these is missing, that is what it was.
        // All other settings' own defaults are the type's, or the type's is no sound value. A setting added since has its own default.
        private static readonly ImmutableHashSet<string> OnceLeftOut = [nameof(RunSpec.Seed), nameof(RunSpec.ValFraction), nameof(RunSpec.Shuffle)];

        protected override JsonProperty CreateProperty(MemberInfo member, MemberSerialization memberSerialization)
        {
            var property = base.CreateProperty(member, memberSerialization);
            // What follows from other values is not state.
            if (!property.Writable) property.ShouldSerialize = _ => false;
            if (member.DeclaringType == typeof(RunSpec) && OnceLeftOut.Contains(member.Name))
                (property.DefaultValueHandling, property.DefaultValue) = (DefaultValueHandling.Populate, Activator.CreateInstance(property.PropertyType!));
            return property;
        }
    }
}
