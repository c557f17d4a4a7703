using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Which devices may compute for a run: those of the kind that it began on, since others' bits differ. Pure functions of what
/// silos offer. A silo of an earlier version does not say of which kind its devices are, and is believed.
/// </summary>
internal static class DeviceKinds
{
    /// <summary>The kind that a run begins on: the one there is most of; empty when nobody says.</summary>
    public static string Choose(IEnumerable<SiloOffer> offers) => offers.SelectMany(offer => offer.Fingerprints)
        .GroupBy(kind => kind, StringComparer.Ordinal)
        .OrderByDescending(kind => kind.Count()).ThenBy(kind => kind.Key, StringComparer.Ordinal)
        .Select(kind => kind.Key).FirstOrDefault("");

    /// <summary>The devices of an offer that are of a kind; all where it is empty.</summary>
    public static IEnumerable<string> Alike(SiloOffer offer, string kind) => offer.Devices.Where((_, place) => IsAlike(offer, place, kind));

    /// <summary>The others, with what they are.</summary>
    public static IEnumerable<(string Device, string Kind)> Others(SiloOffer offer, string kind) =>
        offer.Devices.Select((device, place) => (device, place)).Where(pair => !IsAlike(offer, pair.place, kind)).Select(pair => (pair.device, offer.Fingerprints[pair.place]));

    /// <summary>What a run waits for that has fewer devices than it needs, and which others are there that it cannot have.</summary>
    public static string Lack(IReadOnlyCollection<SiloOffer> offers, string kind, int needed)
    {
        var there = $"{offers.Sum(offer => Alike(offer, kind).Count())} of the {needed} that it needs are alive";
        string[] others = [.. offers.SelectMany(offer => Others(offer, kind)).GroupBy(other => other.Kind, StringComparer.Ordinal).OrderBy(other => other.Key, StringComparer.Ordinal)
            .Select(other => $"{other.Count()} {(other.Count() == 1 ? "is" : "are")} {other.Key}")];
        return others.Length == 0 ? there : $"{there}. It computes on {kind}; of the devices here {string.Join(", ", others)}, whose bits differ: 'genslm resume RUN --accept-other-device' goes on with them";
    }

    private static bool IsAlike(SiloOffer offer, int place, string kind) => kind.Length == 0 || place >= offer.Fingerprints.Length || offer.Fingerprints[place] == kind;
}
