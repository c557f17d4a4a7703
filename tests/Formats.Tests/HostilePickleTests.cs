using System.Diagnostics;
using System.Globalization;
using System.Text;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Pickles meant to run code, to exhaust memory, or never to end.</summary>
public class HostilePickleTests
{
    [Theory]
    [InlineData("posix", "system")]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("builtins", "exec")]
    [InlineData("subprocess", "Popen")]
    [InlineData("torch.storage", "_load_from_bytes")]
    [InlineData("System.Diagnostics.Process", "Start")]
    public void A_call_to_anything_unknown_is_inert_beside_the_weights_and_refused_among_them(string module, string name)
    {
        using var folder = new TemporaryFolder();
        var trace = folder.File("trace");
        TorchFixture Attack(TorchFixture fixture) => fixture.Global(module, name).Text($"touch {trace}").Bytes(0x85).Op('R');

        var beside = new TorchFixture().Op('}').Op('(');
        Attack(beside.Text("payload"));
        beside.Text("state_dict").Op('}').Text("a").Tensor("FloatStorage", beside.Storage([0, 0, 128, 63]), 1, 0, [1], [1]).Op('s').Op('u').Op('.');
        using (var file = WeightFile.Open(folder.File("beside.pt", beside.ToArchive()))) Assert.Equal([1f], file.Read("a"));

        TorchArchiveTests.Refuse(Attack(new TorchFixture()).Op('.').ToArchive(), $"'{module}.{name}', which is not run");
        TorchArchiveTests.Refuse(
            Attack(new TorchFixture().Op('}').Text("state_dict").Op('}').Text("a")).Op('s').Op('s').Op('.').ToArchive(), "which is not run");
        Assert.False(File.Exists(trace));

        // The same two in the format before 1.6.
        var old = Attack(new TorchFixture().Op('}').Op('(').Text("payload")).Text("state_dict").Op('}').Text("a");
        LegacyTorchFixture.Tensor(old, "FloatStorage", "0", 1, 0, [1], [1]).Op('s').Op('u').Op('.');
        using (var file = WeightFile.Open(folder.File("beside.pth", LegacyTorchFixture.File(old, ("0", [0, 0, 128, 63]))))) Assert.Equal([1f], file.Read("a"));
        var path = folder.File("old.pth", LegacyTorchFixture.File(Attack(new TorchFixture()).Op('.')));
        Assert.Contains($"'{module}.{name}', which is not run", Assert.Throws<WeightFileException>(() => WeightFile.Open(path)).Message);
        Assert.False(File.Exists(trace));
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(true, 4)]
    [InlineData(false, 2)]
    public void What_runs_a_command_when_Python_loads_it_runs_nothing_here(bool archive, int protocol)
    {
        using var folder = new TemporaryFolder();
        string trace = folder.File("trace"), alone = folder.File("alone.pt"), beside = folder.File("beside.pt");
        var lines = Python.Run(
            """
            import os, subprocess, sys, torch
            class Attack:
                def __init__(self, call): self.call = call
                def __reduce__(self): return self.call
            trace, alone, beside, archive, protocol = sys.argv[1:]
            calls = [(os.system, ('touch ' + trace,)), (eval, ('open(%r, "w").close()' % trace,)), (subprocess.check_call, (['touch', trace],))]
            how = dict(_use_new_zipfile_serialization=archive == 'True', pickle_protocol=int(protocol))
            torch.save(Attack(calls[0]), alone, **how)
            torch.save({'a': [Attack(call) for call in calls], 'state_dict': {'w': torch.ones(1)}}, beside, **how)
            for path in (alone, beside):
                torch.load(path)
                print(os.path.exists(trace))
                os.remove(trace)
            """, trace, alone, beside, archive.ToString(), protocol.ToString(CultureInfo.InvariantCulture));

        // The attack works where it is meant to.
        Assert.Equal(["True", "True"], lines);
        Assert.Contains("which is not run", Assert.Throws<WeightFileException>(() => WeightFile.Open(alone)).Message);
        using var file = WeightFile.Open(beside);
        Assert.Equal([1f], file.Read("w"));
        Assert.False(File.Exists(trace));
    }

    [Fact]
    public void A_hook_set_with_BUILD_or_NEWOBJ_is_never_called()
    {
        var fixture = new TorchFixture().Op('}').Op('(').Text("x").Global("os", "system").Text("true").Bytes(0x85).Bytes(0x81);
        fixture.Op('}').Text("__setstate__").Global("os", "system").Op('s').Op('b');
        fixture.Text("a").Tensor("FloatStorage", fixture.Storage([0, 0, 128, 63]), 1, 0, [1], [1]).Op('u').Op('.');
        TorchArchiveTests.Refuse(fixture.ToArchive(), "'x' is something made by 'os.system'");
    }

    public static TheoryData<string, byte[], string> Bombs => new()
    {
        { "text of 4 GB", [(byte)'X', 255, 255, 255, 255], "ends too early" },
        { "text of 2^64 bytes", [0x8d, 255, 255, 255, 255, 255, 255, 255, 255], "ends too early" },
        { "a number of 2 GB", [0x8b, 255, 255, 255, 127], "ends too early" },
        { "deep marks", [.. Enumerable.Repeat((byte)'(', 5000)], "deep" },
        { "millions of values", [.. Enumerable.Repeat((byte)'N', 5_000_000)], "more values than are read" },
        { "doubling", [(byte)']', .. Enumerable.Repeat<byte[]>([(byte)'2', 0x86], 100_000).SelectMany(bytes => bytes), (byte)'.'], "a tuple" },
        { "a list in itself", [(byte)']', (byte)'q', 0, (byte)'h', 0, (byte)'a', (byte)'.'], "a list" },
        { "nested 100,000 deep", [(byte)'N', .. Enumerable.Repeat((byte)0x85, 100_000), (byte)'.'], "a tuple" },
        { "an empty stack", [(byte)'0'], "not there" },
        { "a value below a mark", [(byte)'N', (byte)'(', (byte)'0'], "not there" },
        { "a mark that is missing", [(byte)'t'], "not opened" },
        { "a memory that is missing", [(byte)'h', 9], "not remembered" },
        { "a name without an end", [(byte)'c', .. "os\n"u8, .. Enumerable.Repeat((byte)'a', 2000)], "without an end" },
        { "an extension code", [0x82, 1], "0x82" },
        { "protocol 0's INST", [(byte)'i', .. "os\nsystem\n"u8], "0x69" },
        { "a storage that is none", [(byte)'N', (byte)'Q'], "other than a storage" },
        { "no end", [], "ends too early" },
        { "something after the end", [(byte)'}', (byte)'.', (byte)'.'], "goes on" },
    };

    [Theory]
    [MemberData(nameof(Bombs), DisableDiscoveryEnumeration = true)]
    public void A_pickle_bomb_is_refused_quickly(string name, byte[] instructions, string reason)
    {
        var watch = Stopwatch.StartNew();
        TorchArchiveTests.Refuse(new TorchFixture().Bytes(instructions).ToArchive(), reason);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{name} took {watch.Elapsed}.");
    }

    [Fact]
    public void A_long_hostile_name_is_cut_in_the_message()
    {
        var name = string.Concat(Enumerable.Repeat("\u001b[31m\n", 100_000));
        var pickle = new TorchFixture().Op('}').Text(name).Integer(1).Op('s').Op('.').ToArchive();
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.pt", pickle);
        var error = Assert.Throws<WeightFileException>(() => WeightFile.Open(path));
        Assert.InRange(error.Message.Length, 1, 1000);
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.InRange(Encoding.UTF8.GetByteCount(error.Message), 1, 2000);
    }
}
