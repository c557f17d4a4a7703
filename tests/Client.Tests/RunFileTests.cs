using System.Text;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary>Run files that cannot be read at all, and those that say nothing; OptionTests has the ones with a wrong key or value.</summary>
public sealed class RunFileTests
{
    [Fact]
    public void A_folder_is_no_run_file()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal($"{folder.Path} is a folder; expected a run file such as {folder.File("run.json")}.", Refusal(folder.Path));
    }

    [Fact]
    public void A_run_file_that_somebody_else_holds_is_a_sentence()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml", "epochs: 2\n"u8);
        using var held = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.StartsWith($"The run file {path} cannot be read: ", Refusal(path));
    }

    [Theory]
    [InlineData("epochs: 2\nepochs: 3\n", "line 2: Duplicate key epochs. Expected lines such as 'batchSize: 2'.")]
    [InlineData("epochs: *three\n", "line 1: The anchor 'three' does not exists. Expected lines such as 'batchSize: 2'.")]
    [InlineData("data: \"never closed\n", "line 1: While scanning a quoted scalar, found unexpected end of stream. Expected lines such as 'batchSize: 2'.")]
    [InlineData("[epochs]: 2\n", "line 1 has a key that is not a word; expected 'key: value'.")]
    [InlineData("epochs: {a: 1}\n", "line 1: epochs is a list or a mapping; expected one value.")]
    [InlineData("optimizer:\n  nam: adam\n", "line 1: optimizer is a list or a mapping; expected one value.")]
    [InlineData("train:\n  batchSize: 2\n", "line 1 has an unknown key 'train'; did you mean 'frame'?")]
    [InlineData("? {a: b}\n: 2\n", "line 1 has a key that is not a word; expected 'key: value'.")]
    [InlineData("x: &a [*a]\n*a : 2\n", "line 2 has a key that is not a word; expected 'key: value'.")]
    [InlineData("epochs: 2\n---\nepochs: 3\n", "line 3: a second document begins; expected one.")]
    [InlineData("weights: null\n", "line 1: weights has no value; give one, or leave the key out for the default.")]
    [InlineData("{\"data\": \"x\",\n\"weights\": null}", "line 2: weights has no value; give one, or leave the key out for the default.")]
    [InlineData("epochs: many\n", "line 1: epochs is 'many'; expected a whole number.")]
    [InlineData("resolved: 5\n", "line 1: resolved is not a mapping; only a run writes it, leave it out.")]
    [InlineData("{\"batchSize\": 3,\n\"batchSise\": 3}", "line 2 has an unknown key 'batchSise'; did you mean 'batchSize'?")]
    public void What_is_wrong_is_named_with_its_line(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, content);
        Assert.Equal($"{path} {expected}", Refusal(path));
    }

    [Fact]
    public void A_file_that_is_nested_without_end_or_longer_than_any_settings_is_refused_before_it_is_read()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, "epochs: " + new string('[', 200_000));
        Assert.Equal($"{path} line 1: values are nested more than 64 deep.", Refusal(path));
        File.WriteAllText(path, "# " + new string('x', 5_000_000));
        Assert.Equal($"The run file {path} has 5000002 bytes; expected 4194304 at most.", Refusal(path));
    }

    [Fact]
    public void Whatever_is_done_to_a_run_file_it_is_read_or_refused_in_a_sentence()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        var whole = Encoding.UTF8.GetBytes("# run\ndata: 'a b.fasta'\nepochs: 2\nlearningRate: 1.0e-5\nresolved: {runId: [x, \"y\"]}\nkeyPrefix: &p \"m\\n\"\noutput: *p\n");
        var tokens = Encoding.UTF8.GetBytes("[]{}:,-?&*!|>'\"%@`#\n \t~<\\\0");
        var random = new Random(11);
        for (int i = 0; i < 2000; i++)
        {
            var bytes = whole.ToList();
            for (int changes = random.Next(1, 6); changes > 0; changes--)
            {
                int at = random.Next(bytes.Count);
                byte other = random.Next(3) > 0 ? tokens[random.Next(tokens.Length)] : (byte)random.Next(256);
                if (random.Next(3) == 0) bytes.RemoveAt(at);
                else if (random.Next(2) == 0) bytes.Insert(at, other);
                else bytes[at] = other;
            }

            File.WriteAllBytes(path, [.. bytes]);
            try
            {
                RunFile.Apply(new TrainSettings(), path);
            }
            catch (UsageException refusal)
            {
                Assert.StartsWith(path, refusal.Message);
                Assert.DoesNotContain("\n", refusal.Message);
            }
        }
    }

    [Theory]
    [InlineData("a\nb: c")]
    [InlineData("null")]
    [InlineData("1234")]
    [InlineData("# no comment")]
    [InlineData("é'\"\\ \t")]
    public void Any_text_survives_the_way_through_a_run_file(string text)
    {
        using var folder = new TemporaryFolder();
        var settings = new TrainSettings();
        settings = settings with { Spec = settings.Spec with { Data = text, KeyPrefix = text } };
        var path = folder.File("run.yaml");
        File.WriteAllText(path, RunFile.Print(settings));
        Assert.Equal(settings, RunFile.Apply(new TrainSettings(), path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing yet\n")]
    [InlineData("{}")]
    [InlineData("{\"$schema\": \"docs/run.schema.json\", \"resolved\": {\"runId\": \"x\"}}")]
    public void A_run_file_without_settings_changes_none(string content)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, content);
        Assert.Equal(new TrainSettings(), RunFile.Apply(new TrainSettings(), path));
    }

    private static string Refusal(string path) => Assert.Throws<UsageException>(() => RunFile.Apply(new TrainSettings(), path)).Message;
}
