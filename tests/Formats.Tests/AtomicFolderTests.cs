using System.Diagnostics;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class AtomicFolderTests
{
    private const string ChildVariable = "GENSLM_TEST_WRITE_FOLDERS";

    [Fact]
    public void A_folder_appears_with_its_commit_and_not_before()
    {
        using var parent = new TemporaryFolder();
        var final = parent.File("checkpoint");
        using (var folder = AtomicFolder.Create(final))
        {
            using (var file = folder.CreateFile("part-0")) file.Write("content"u8);
            Assert.False(Path.Exists(final));
            Assert.StartsWith(".", Path.GetFileName(folder.TemporaryPath));
            folder.Commit();
        }

        Assert.Equal("content", File.ReadAllText(Path.Combine(final, "part-0")));
        Assert.Equal([final], Directory.GetFileSystemEntries(parent.Path));
        Assert.Throws<IOException>(() => AtomicFolder.Create(final));
    }

    [Fact]
    public void Without_a_commit_nothing_stays_even_when_a_file_is_open()
    {
        using var parent = new TemporaryFolder();
        using (var folder = AtomicFolder.Create(parent.File("checkpoint")))
        {
            var file = folder.CreateFile("open");
            file.Write(new byte[100_000]);
            Assert.Throws<InvalidOperationException>(folder.Commit);
            Assert.Throws<ArgumentException>(() => folder.CreateFile("../escape"));
        }

        Assert.Empty(Directory.GetFileSystemEntries(parent.Path));
    }

    [Fact]
    public void A_file_is_replaced_as_a_whole_or_stays_as_it_was()
    {
        using var parent = new TemporaryFolder();
        var path = parent.File("run.json", "old"u8);
        Assert.Throws<InvalidDataException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half of the n"u8);
            throw new InvalidDataException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        AtomicFile.Write(path, stream => stream.Write("new"u8));
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(parent.Path));
    }

    [Fact]
    public void Only_leftovers_of_writers_are_removed()
    {
        using var parent = new TemporaryFolder();
        var abandoned = AtomicFolder.Create(parent.File("checkpoint"));
        using (var file = abandoned.CreateFile("part")) file.WriteByte(1);
        var moved = parent.File($".run.json.{new string('0', 31)}f.partial", [1]);
        string[] others = [parent.File("a.partial", [1]), parent.File(".hidden", [1]), parent.File(".x.notdigits.partial", [1])];

        Assert.Equal(2, AtomicFolder.RemoveLeftovers(parent.Path));

        Assert.False(Path.Exists(abandoned.TemporaryPath) || Path.Exists(moved));
        Assert.Equal(others.Order(), Directory.GetFileSystemEntries(parent.Path).Order());
        abandoned.Dispose();
        Assert.Equal(0, AtomicFolder.RemoveLeftovers(parent.File("absent")));
    }

    [Fact]
    public void A_writer_killed_at_any_moment_leaves_whole_folders_and_recognisable_leftovers()
    {
        using var parent = new TemporaryFolder();
        for (int round = 0; round < 6; round++)
        {
            KillWriterAfter(folders: 1 + round, TimeSpan.FromMilliseconds(round), Path.Combine(parent.Path, $"round-{round}"));
            var entries = Directory.GetFileSystemEntries(Path.Combine(parent.Path, $"round-{round}"));
            var whole = entries.Where(path => !Path.GetFileName(path).StartsWith('.')).ToList();
            Assert.True(whole.Count > round, $"Only {whole.Count} folders were written.");
            foreach (var folder in whole)
            {
                var hash = new XxHash3();
                for (int part = 0; part < 3; part++) hash.Append(File.ReadAllBytes(Path.Combine(folder, $"part-{part}")));
                Assert.Equal(Xxh3.TextOf(hash.GetCurrentHashAsUInt64()), File.ReadAllText(Path.Combine(folder, "manifest")));
            }

            Assert.Equal(entries.Length - whole.Count, AtomicFolder.RemoveLeftovers(Path.Combine(parent.Path, $"round-{round}")));
            Assert.Equal(whole.Count, Directory.GetFileSystemEntries(Path.Combine(parent.Path, $"round-{round}")).Length);
        }
    }

    private static void KillWriterAfter(int folders, TimeSpan more, string parent)
    {
        Directory.CreateDirectory(parent);
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        // Under the dotnet host the assembly is an argument.
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(AtomicFolderTests).Assembly.Location);
        start.Environment[ChildVariable] = parent;
        using var writer = Process.Start(start)!;
        try
        {
            var deadline = Stopwatch.StartNew();
            while (Directory.GetDirectories(parent, "checkpoint-*").Length < folders)
            {
                Assert.False(writer.HasExited, "The writer ended by itself.");
                Assert.True(deadline.Elapsed < TimeSpan.FromSeconds(60), $"The writer has not written {folders} folders in a minute.");
                writer.WaitForExit(1);
            }

            writer.WaitForExit(more);
        }
        finally
        {
            writer.Kill();
            writer.WaitForExit();
        }
    }

    /// <summary>The killed process: this program, writing folders for ever when the variable says where.</summary>
    [ModuleInitializer]
    internal static void WriteFoldersWhenAsked()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is not { Length: > 0 } parent) return;
        var content = new byte[300_000];
        for (int i = 0; ; i++)
        {
            var hash = new XxHash3();
            using var folder = AtomicFolder.Create(Path.Combine(parent, $"checkpoint-{i}"));
            for (int part = 0; part < 3; part++)
            {
                new Random(i * 3 + part).NextBytes(content);
                hash.Append(content);
                using var file = folder.CreateFile($"part-{part}");
                file.Write(content);
            }

            using (var manifest = folder.CreateFile("manifest")) manifest.Write(System.Text.Encoding.UTF8.GetBytes(Xxh3.TextOf(hash.GetCurrentHashAsUInt64())));
            folder.Commit();
        }
    }
}
