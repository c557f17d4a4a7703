using System.Security.Cryptography;
using GenSlmOrleans.WeakenSymbolVersion;

namespace GenSlmOrleans.Model.Tests;

/// <summary>The build step that lets TorchSharp's library load where libstdc++ is older than GCC 13's.</summary>
public sealed class VersionedElfTests
{
    private static readonly HashSet<string> Anchor = new(StringComparer.Ordinal) { "_ZSt21ios_base_library_initv" };

    private static string Library => Path.Combine(AppContext.BaseDirectory, "native", "libLibTorchSharp.so");

    [Fact]
    public void The_library_that_was_built_is_weak_already_and_stays_as_it_is()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF is Linux's.");
        var bytes = File.ReadAllBytes(Library);
        var elf = new VersionedElf(bytes.ToArray());
        Assert.Equal(WeakenResult.AlreadyWeak, elf.Weaken("GLIBCXX_3.4.32", Anchor));
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(elf.Image.Span));
    }

    [Fact]
    public void Weakening_changes_one_byte_and_a_second_time_none()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF is Linux's.");
        var weak = File.ReadAllBytes(Library);
        var strong = Strengthened(weak);
        var elf = new VersionedElf(strong.ToArray());
        Assert.Equal(WeakenResult.Weakened, elf.Weaken("GLIBCXX_3.4.32", Anchor));
        Assert.Equal(weak, elf.Image.ToArray());
        Assert.Equal(WeakenResult.AlreadyWeak, elf.Weaken("GLIBCXX_3.4.32", Anchor));
        Assert.Equal(1, weak.Zip(strong).Count(pair => pair.First != pair.Second));
    }

    [Fact]
    public void A_version_that_a_callable_symbol_needs_is_not_weakened()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF is Linux's.");
        var elf = new VersionedElf(File.ReadAllBytes(Library));
        Assert.Throws<InvalidDataException>(() => elf.Weaken("GLIBCXX_3.4.21", Anchor));
        Assert.Equal(WeakenResult.NotRequired, elf.Weaken("GLIBCXX_9.9.9", Anchor));
    }

    [Fact]
    public void What_is_not_elf_is_refused() => Assert.Throws<InvalidDataException>(() => new VersionedElf(new byte[100]));

    [Fact]
    public void The_package_cache_is_left_as_it_was()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "ELF is Linux's.");
        // The changed library is a file of its own; the unchanged ones are links.
        Assert.Null(File.ResolveLinkTarget(Path.Combine(Path.GetDirectoryName(File.ResolveLinkTarget(Library, returnFinalTarget: true)!.FullName)!, "libLibTorchSharp.so"), returnFinalTarget: false));
        Assert.NotNull(File.ResolveLinkTarget(Path.Combine(AppContext.BaseDirectory, "native", "libtorch_cpu.so"), returnFinalTarget: true));
    }

    // The requirement is the only difference, so it is found by weakening: clear each weak flag candidate in turn.
    private static byte[] Strengthened(byte[] weak)
    {
        for (int i = 0; i + 12 < weak.Length; i++)
        {
            // vernaux of GLIBCXX_3.4.32: hash 0x0297f862 in elf(5)'s order, then the flags.
            if (weak[i + 4] != 2 || BitConverter.ToUInt32(weak, i) != ElfHash("GLIBCXX_3.4.32")) continue;
            var strong = weak.ToArray();
            strong[i + 4] = 0;
            return strong;
        }

        throw new InvalidOperationException("The requirement was not found.");
    }

    // The System V ABI's hash of symbol names.
    private static uint ElfHash(string name)
    {
        uint hash = 0;
        foreach (char letter in name)
        {
            hash = (hash << 4) + letter;
            uint top = hash & 0xf0000000;
            hash = (hash ^ (top >> 24)) & ~top;
        }

        return hash;
    }
}
