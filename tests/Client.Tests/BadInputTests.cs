using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary>What is wrong is found before a process is started or a file written: one sentence, exit code 2.</summary>
public sealed class BadInputTests
{
    private const string Good = ">a\nATGGCC\n>b\nATGGCT\n>c\nATGGCA\n";

    [Theory]
    [InlineData(null, "does not exist; expected a FASTA or HDF5 file.")]
    [InlineData("", "is empty; expected FASTA")]
    [InlineData("\u0001\u0002\u0003", "line 1: found byte 0x01, which is not text")]
    [InlineData("ATGGCC\n", "line 1: found 'ATGGCC' before any header")]
    [InlineData(">a\n>b\nATG\n", "line 1: record 'a' has no sequence")]
    public async Task Bad_sequences(string? content, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("data.fasta");
        if (content is not null) File.WriteAllText(path, content);
        await AssertRefusedAsync(folder, expected, "train", path);
    }

    [Fact]
    public async Task A_gzip_file_that_was_cut_off()
    {
        using var folder = new TemporaryFolder();
        var bytes = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(bytes, System.IO.Compression.CompressionMode.Compress, leaveOpen: true)) gzip.Write(Encoding.ASCII.GetBytes(Good));
        await AssertRefusedAsync(folder, "expected a whole .gz file", "train", folder.File("data.fasta.gz", bytes.ToArray().AsSpan(..^6)));
    }

    [Theory]
    [InlineData("shards is 9", "--shards", "9")]
    [InlineData("did you mean genslm_25M_patric?", "--model", "genslm_25M")]
    [InlineData("The preset genslm_25B_patric cannot be used: hidden_size is 8196", "--model", "genslm_25B_patric")]
    [InlineData("Unknown option --batch-sise; did you mean --batch-size?", "--batch-sise", "2")]
    [InlineData("padding is 'longer'; expected one of longest, max_length. Did you mean longest?", "--padding", "longer")]
    [InlineData("learningRate is 'fast'; expected a number.", "--learning-rate", "fast")]
    [InlineData("learningRate is '0,001'; expected a number.", "--learning-rate", "0,001")]
    [InlineData("--epochs needs a value; found the option --output.", "--epochs")]
    [InlineData("there is no such file", "--weights", "nowhere.safetensors")]
    [InlineData("rotaryFromCheckpoint is true, but weights is empty", "--rotary-from-checkpoint")]
    [InlineData("seqLength is 4096, but tiny has 2048 positions", "--seq-length", "4096")]
    [InlineData("silos is 0; it must be at least 1.", "--silos", "0")]
    [InlineData("keepBest is 0", "--keep-best", "0")]
    [InlineData("The run file none.yaml does not exist.", "--config", "none.yaml")]
    [InlineData("other.fasta does not exist; expected a FASTA or HDF5 file.", "other.fasta")]
    [InlineData("No file matches none*.fasta", "none*.fasta")]
    [InlineData("No file matches none*.h5", "--val-data", "none*.h5")]
    [InlineData("frame is '3'; expected one of start, 0, 1, 2, orf.", "--frame", "3")]
    public async Task Bad_options(string expected, params string[] options)
    {
        using var folder = new TemporaryFolder();
        await AssertRefusedAsync(folder, expected, ["train", folder.File("data.fasta", Encoding.ASCII.GetBytes(Good)), .. options]);
    }

    [Theory]
    [InlineData("Unknown command 'trian'; did you mean 'genslm train'?", "trian")]
    [InlineData("No command was given")]
    [InlineData("Unknown option --jason; did you mean --version? 'genslm --help' lists them all.", "--jason")]
    [InlineData("No data file was given", "train")]
    [InlineData("Unknown option --jason; did you mean --json? 'genslm train --help' lists them all.", "train", "--jason")]
    [InlineData("Required argument missing for option: '--silos'.", "resume", "nowhere", "--silos")]
    [InlineData("--silos needs a value; found the option --json.", "resume", "nowhere", "--silos", "--json")]
    [InlineData("Required argument missing for command: 'resume'.", "resume")]
    [InlineData("holds no run", "resume", "nowhere")]
    [InlineData("genslm weights needs to know what; expected 'genslm weights inspect' or 'genslm weights convert' or 'genslm weights diff'.", "weights")]
    [InlineData("Unknown command 'inspct'; did you mean 'genslm weights inspect'?", "weights", "inspct")]
    [InlineData("nowhere.pt: there is no such file.", "weights", "inspect", "nowhere.pt")]
    [InlineData("Unknown option --jason; did you mean --json? 'genslm weights inspect --help' lists them all.", "weights", "inspect", "nowhere.pt", "--jason")]
    [InlineData("Required argument missing for command: 'convert'. 'genslm weights convert --help' shows what is expected.", "weights", "convert", "a.pt")]
    [InlineData("--dtype is 'fp15'; expected one of fp32, fp16, bf16. Did you mean fp16?", "weights", "convert", "a.pt", "b.pt", "--dtype", "fp15")]
    [InlineData("--max-shard-size is '5 apples'; expected a size such as 500MB or 2GiB.", "weights", "convert", "a.pt", "b", "--max-shard-size", "5 apples")]
    [InlineData("--max-shard-size is 5GB, but b.pt is one file; a folder's name is expected as OUT.", "weights", "convert", "a.pt", "b.pt", "--max-shard-size", "5GB")]
    [InlineData("There is no preset and no file 'genslm_25M'; did you mean genslm_25M_patric?", "weights", "convert", "a.pt", "b.pt", "--model", "genslm_25M")]
    [InlineData("tolerance is -1; it must be 0 or above.", "weights", "diff", "a.pt", "b.pt", "--tolerance", "-1")]
    [InlineData("tolerance is 'small'; expected a number.", "weights", "diff", "a.pt", "b.pt", "--tolerance", "small")]
    [InlineData("Unknown command 'inspct'; did you mean 'genslm data inspect'?", "data", "inspct")]
    [InlineData("'genslm data inspect --help' shows what is expected.", "data", "inspect")]
    [InlineData("nowhere.fasta does not exist; expected a FASTA or HDF5 file.", "data", "inspect", "nowhere.fasta")]
    [InlineData("batchSize is 0; it must be at least 1.", "data", "inspect", "nowhere.fasta", "--batch-size", "0")]
    public async Task Bad_commands(string expected, params string[] arguments)
    {
        using var folder = new TemporaryFolder();
        await AssertRefusedAsync(folder, expected, arguments);
    }

    [Fact]
    public async Task Weights_of_another_architecture_name_the_first_tensor_that_differs_and_both_shapes()
    {
        using var folder = new TemporaryFolder();
        var other = GptNeoXStateDict.Describe(ModelPresets.Find("tiny")! with { IntermediateSize = 128 });
        var path = folder.File("other.safetensors");
        using (var stream = File.Create(path))
        using (var writer = new SafetensorsWriter(stream, other, metadata: null))
        {
            writer.Write(new float[other.Sum(tensor => tensor.ElementCount)]);
            writer.Complete();
        }

        await AssertRefusedAsync(
            folder,
            "'gpt_neox.layers.0.mlp.dense_h_to_4h.weight' has shape [128, 64]; the configured model expects [256, 64]",
            "train", folder.File("data.fasta", Encoding.ASCII.GetBytes(Good)), "--weights", path);
    }

    [Fact]
    public async Task A_model_whose_vocabulary_is_too_small_and_an_output_that_is_taken()
    {
        using var folder = new TemporaryFolder();
        var data = folder.File("data.fasta", Encoding.ASCII.GetBytes(Good));
        var config = folder.File("config.json", Encoding.UTF8.GetBytes((ModelPresets.Find("tiny")! with { VocabularySize = 40 }).ToJson()));
        await AssertRefusedAsync(folder, "has vocab_size 40; codons need at least 69.", "train", data, "--model", config);
        await AssertRefusedAsync(folder, "is a file; expected a folder or a name that is free.", "train", data, "--output", data);
        await AssertRefusedAsync(folder, "a.fasta is a file.".Replace("a.fasta", data), "train", data, "--output", Path.Combine(data, "inner", "output"));
        Directory.CreateDirectory(folder.File("taken/checkpoints"));
        await AssertRefusedAsync(folder, "already holds a run; go on with it by 'genslm resume", "train", data, "--output", folder.File("taken"));
    }

    [Theory]
    [InlineData("run.json is not what a run writes there", "{")]
    [InlineData("run.json is not what a run writes there", "[]")]
    [InlineData("run.json is not what a run writes there", """{"resolved": {"runId": 5}}""")]
    public void A_run_file_that_was_damaged_does_not_name_the_run(string expected, string content)
    {
        using var folder = new TemporaryFolder();
        folder.File("run.json", Encoding.UTF8.GetBytes(content));
        var exception = Assert.Throws<UsageException>(() => SubmissionCheck.RunId(new RunSpec { Output = folder.Path }));
        Assert.Contains(expected, exception.Message);
        Assert.DoesNotContain("\n", exception.Message);
    }

    [Fact]
    public void A_run_is_named_by_its_run_file_or_else_by_its_folder()
    {
        using var folder = new TemporaryFolder();
        var spec = new RunSpec { Output = folder.File("flu season+2") };
        Assert.Equal("flu-season-2", SubmissionCheck.RunId(spec));
        Directory.CreateDirectory(spec.Output);
        File.WriteAllText(Path.Combine(spec.Output, "run.json"), """{"resolved": {"runId": "first"}}""");
        Assert.Equal("first", SubmissionCheck.RunId(spec));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("train", "--help")]
    [InlineData("resume", "--help")]
    [InlineData("verify", "--help")]
    [InlineData("submit", "--help")]
    [InlineData("runs", "--help")]
    [InlineData("describe", "--help")]
    [InlineData("watch", "--help")]
    [InlineData("wait", "--help")]
    [InlineData("pause", "--help")]
    [InlineData("cancel", "--help")]
    [InlineData("export", "--help")]
    [InlineData("weights", "--help")]
    [InlineData("weights", "inspect", "--help")]
    [InlineData("weights", "convert", "--help")]
    [InlineData("weights", "diff", "--help")]
    [InlineData("data", "--help")]
    [InlineData("data", "inspect", "--help")]
    public async Task Help_begins_with_an_example_and_shows_the_name_that_users_type(params string[] arguments)
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync(arguments);
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.StartsWith("Description:\n  Example: genslm ", output.Replace("\r", ""));
        Assert.Contains($"Usage:\n  {string.Join(' ', ["genslm", .. arguments[..^1]])} ", output.Replace("\r", ""));
    }

    private static async Task AssertRefusedAsync(TemporaryFolder folder, string expected, params string[] arguments)
    {
        var before = Directory.GetFileSystemEntries(folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        var (exitCode, output, errors) = await CapturedConsole.RunAsync(arguments is ["train", not null, ..] ? [.. arguments, .. arguments.Contains("--output") ? Array.Empty<string>() : ["--output", folder.File("output")]] : arguments);
        Assert.Contains(expected, errors);
        Assert.Equal((2, ""), (exitCode, output));
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
        Assert.Equal(before, Directory.GetFileSystemEntries(folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
    }
}
