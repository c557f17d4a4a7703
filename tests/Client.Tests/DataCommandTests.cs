using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

public sealed class DataCommandTests
{
    private static string Hdf5 => Path.Combine(AppContext.BaseDirectory, "fixtures", "genslm.h5");

    [Fact]
    public async Task An_inspection_says_what_the_open_reading_frame_would_change()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("isolates.fasta", ">a\nCCATGGCCGCCTAAGG\n>b\nATGGCCGCCTAA\n"u8);
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("data", "inspect", path, "--records");
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains("records      2, 10 tokens", output);
        Assert.Contains("is in frame 0 in 1 records, 1 in 0, 2 in 1; 0 have none", output);
        Assert.Contains("--frame orf would change 1 records: 8 tokens instead of 10, 0.00 % unknown instead of 10.00 %", output);
        Assert.Contains("a  6 tokens, 1 unknown; open reading frame 3–14, frame 2", output);
        Assert.Contains("--frame orf would change nothing", (await CapturedConsole.RunAsync("data", "inspect", path, "--frame", "orf")).Output);
    }

    [Fact]
    public async Task Its_json_is_one_object_with_the_records_only_where_they_are_wanted()
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("data", "inspect", Hdf5, "--json", "--batch-size", "4", "--seq-length", "32");
        Assert.Equal((0, ""), (exitCode, errors));
        using var json = JsonDocument.Parse(output);
        Assert.Equal((14, 4, 32), (json.RootElement.GetProperty("records").GetInt32(), json.RootElement.GetProperty("padding").GetProperty("batchSize").GetInt32(), json.RootElement.GetProperty("lengths").GetProperty("maximum").GetInt32()));
        Assert.False(json.RootElement.TryGetProperty("perRecord", out _));
        using var all = JsonDocument.Parse((await CapturedConsole.RunAsync("data", "inspect", Hdf5, "--json", "--records")).Output);
        Assert.Equal(14, all.RootElement.GetProperty("perRecord").GetArrayLength());
    }

    [Fact]
    public async Task A_damaged_HDF5_file_is_a_sentence_and_exit_code_2()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("cut.h5", File.ReadAllBytes(Hdf5).AsSpan(..3000));
        foreach (var arguments in new string[][] { ["data", "inspect", path], ["train", path, "--output", folder.File("out")], ["train", Hdf5, "--val-data", path, "--output", folder.File("out")] })
        {
            var (exitCode, output, errors) = await CapturedConsole.RunAsync(arguments);
            Assert.Equal((2, ""), (exitCode, output));
            Assert.Contains("cut.h5: the HDF5 data cannot be used: ", errors);
            Assert.Single(errors.TrimEnd('\n').Split('\n'));
        }

        Assert.False(Directory.Exists(folder.File("out")));
    }

    [Fact]
    public void A_submission_names_every_file_in_full_and_in_order()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "b", "a", "c" }) folder.File($"{name}.fasta", ">x\nATGGCC\n>y\nATGGCC\n"u8);
        var spec = new RunSpec { Data = FileList.Join([folder.File("c.fasta"), folder.File("[ab].fasta").Replace("[ab]", "?")]), Output = folder.File("out") };
        var twice = Assert.ThrowsAny<Exception>(() => SubmissionCheck.Resolve(new TrainSettings { Spec = spec }));
        Assert.Contains("c.fasta is named twice", twice.Message);
        File.Move(folder.File("c.fasta"), folder.File("main.fasta"));
        var resolved = SubmissionCheck.Resolve(new TrainSettings { Spec = spec with { Data = FileList.Join([folder.File("main.fasta"), folder.File("?.fasta")]), ValData = Hdf5, Shards = 6 } }).Spec;
        Assert.Equal([folder.File("main.fasta"), folder.File("a.fasta"), folder.File("b.fasta")], FileList.Split(resolved.Data));
        Assert.Equal(Hdf5, resolved.ValData);
    }
}
