// Build step: WeakenSymbolVersion IN OUT
//
// libLibTorchSharp.so of TorchSharp 0.107.0 was linked with GCC 13, which makes every object that includes
// <iostream> refer to the empty anchor _ZSt21ios_base_library_initv of GLIBCXX_3.4.32. Nothing calls it, yet the
// dynamic loader refuses the library where libstdc++ is older (Debian 12, Ubuntu 22.04, RHEL 9). With the weak bit
// set on that one requirement it loads. IN stays as it is (it lies in the package cache, perhaps hard-linked
// elsewhere); OUT is a new file, put in place by a rename so that parallel builds see all of it or nothing.

using GenSlmOrleans.WeakenSymbolVersion;

if (args.Length != 2)
{
    Console.Error.WriteLine("usage: WeakenSymbolVersion IN OUT");
    return 2;
}

var library = new VersionedElf(File.ReadAllBytes(args[0]));
var result = library.Weaken("GLIBCXX_3.4.32", new HashSet<string>(StringComparer.Ordinal) { "_ZSt21ios_base_library_initv" });
Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(args[1]))!);
var temporary = $"{args[1]}.{Environment.ProcessId}.tmp";
File.WriteAllBytes(temporary, library.Image.ToArray());
File.Move(temporary, args[1], overwrite: true);
Console.WriteLine($"{Path.GetFileName(args[1])}: GLIBCXX_3.4.32 {result}");
return 0;
