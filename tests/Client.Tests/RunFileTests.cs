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
    [InlineData("{\"batchSize\": 3,\n\"batchSise\": 3}", "line 2 has an unknown key 'batchSise'; did you mean 'batchSize'?")]
    public void What_is_wrong_is_named_with_its_line(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, content);
        Assert.Equal($"{path} {expected}", Refusal(path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing yet\n")]
    [InlineData("{}")]
    public void A_run_file_without_settings_changes_none(string content)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, content);
        Assert.Equal(new TrainSettings(), RunFile.Apply(new TrainSettings(), path));
    }

    private static string Refusal(string path) => Assert.Throws<UsageException>(() => RunFile.Apply(new TrainSettings(), path)).Message;
}
