using System.Buffers.Binary;
using System.Text;

namespace GenSlmOrleans.WeakenSymbolVersion;

/// <summary>What <see cref="VersionedElf.Weaken"/> found.</summary>
public enum WeakenResult
{
    /// <summary>The file does not ask for the version at all.</summary>
    NotRequired,

    /// <summary>The requirement was weak already: nothing was changed.</summary>
    AlreadyWeak,

    /// <summary>The weak bit was set.</summary>
    Weakened,
}

/// <summary>
/// A 64-bit little-endian ELF shared library, seen through its symbol version requirements
/// (section .gnu.version_r, "Linux Standard Base: Symbol Versioning").
/// </summary>
public sealed class VersionedElf
{
    private const uint VersionNeedSection = 0x6ffffffe;
    private const uint VersionSymbolSection = 0x6fffffff;
    private const ushort WeakFlag = 0x2;

    private readonly byte[] _image;

    /// <exception cref="InvalidDataException">The bytes are not a 64-bit little-endian ELF file.</exception>
    public VersionedElf(byte[] image)
    {
        if (image.Length < 64 || !image.AsSpan(0, 6).SequenceEqual((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1]))
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        _image = image;
    }

    /// <summary>
    /// Sets the weak bit of the requirement <paramref name="version"/>, so that the dynamic loader only warns when
    /// the system's library lacks it. Refused unless every symbol bound to that version is in
    /// <paramref name="anchors"/>: symbols that nothing calls. Idempotent.
    /// </summary>
    /// <exception cref="InvalidDataException">A symbol that may be called needs the version.</exception>
    public WeakenResult Weaken(string version, IReadOnlySet<string> anchors)
    {
        foreach (var requirement in Requirements())
        {
            if (requirement.Name != version) continue;
            var callable = SymbolsOfVersion(requirement.VersionIndex).Where(symbol => !anchors.Contains(symbol)).ToArray();
            if (callable.Length > 0)
                throw new InvalidDataException($"{version} is needed by {callable[0]} and {callable.Length - 1} more symbols; it cannot be made weak");
            var flags = BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan(requirement.FlagsOffset));
            if ((flags & WeakFlag) != 0) return WeakenResult.AlreadyWeak;
            BinaryPrimitives.WriteUInt16LittleEndian(_image.AsSpan(requirement.FlagsOffset), (ushort)(flags | WeakFlag));
            return WeakenResult.Weakened;
        }

        return WeakenResult.NotRequired;
    }

    /// <summary>The bytes, as changed so far.</summary>
    public ReadOnlyMemory<byte> Image => _image;

    private readonly record struct Section(uint Type, long Offset, long Size, int Link);

    private readonly record struct Requirement(string Name, int VersionIndex, int FlagsOffset);

    private IEnumerable<Requirement> Requirements()
    {
        var sections = Sections();
        foreach (var section in sections.Where(section => section.Type == VersionNeedSection))
        {
            var strings = sections[section.Link];
            for (long library = section.Offset; ;)
            {
                int auxiliaryCount = U16(library + 2);
                long auxiliary = library + U32(library + 8);
                for (int i = 0; i < auxiliaryCount; i++)
                {
                    yield return new Requirement(Text(strings, U32(auxiliary + 8)), U16(auxiliary + 6) & 0x7fff, checked((int)auxiliary + 4));
                    auxiliary += U32(auxiliary + 12);
                }

                uint next = U32(library + 12);
                if (next == 0) break;
                library += next;
            }
        }
    }

    private IEnumerable<string> SymbolsOfVersion(int versionIndex)
    {
        var sections = Sections();
        foreach (var versions in sections.Where(section => section.Type == VersionSymbolSection))
        {
            var symbols = sections[versions.Link];
            var strings = sections[symbols.Link];
            for (long i = 0; i < versions.Size / 2; i++)
            {
                if ((U16(versions.Offset + (2 * i)) & 0x7fff) == versionIndex)
                    yield return Text(strings, U32(symbols.Offset + (24 * i)));
            }
        }
    }

    private List<Section> Sections()
    {
        long table = (long)U64(0x28);
        int entrySize = U16(0x3a);
        var sections = new List<Section>();
        for (int i = 0, count = U16(0x3c); i < count; i++)
        {
            long header = table + ((long)i * entrySize);
            sections.Add(new Section(U32(header + 4), (long)U64(header + 0x18), (long)U64(header + 0x20), (int)U32(header + 0x28)));
        }

        return sections;
    }

    private string Text(Section strings, uint offset)
    {
        var tail = _image.AsSpan(checked((int)(strings.Offset + offset)));
        return Encoding.ASCII.GetString(tail[..tail.IndexOf((byte)0)]);
    }

    private ushort U16(long offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan(checked((int)offset)));

    private uint U32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(checked((int)offset)));

    private ulong U64(long offset) => BinaryPrimitives.ReadUInt64LittleEndian(_image.AsSpan(checked((int)offset)));
}
