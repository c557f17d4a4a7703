using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.GenSlm;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Testing;
using NJsonSchema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.Tests;

/// <summary>The schema takes what the reader of run files takes, and refuses what it refuses; NJsonSchema judges.</summary>
public sealed class RunFileSchemaTests
{
    [Fact]
    public async Task The_copy_in_docs_is_what_the_command_prints()
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("config", "schema");
        Assert.Equal((0, ""), (exitCode, errors));
        var copy = await File.ReadAllTextAsync(Path.Combine(CurrentFolder.Root, "docs", "run.schema.json"), TestContext.Current.CancellationToken);
        Assert.True(output == copy, "docs/run.schema.json is not current; write it anew with: ./genslm config schema > docs/run.schema.json");
    }

    [Fact]
    public void Every_key_has_a_type_and_a_description_and_every_word_of_a_choice_is_there()
    {
        var properties = JsonNode.Parse(RunFileSchema.Text())!["properties"]!.AsObject();
        Assert.Equal([.. RunOptions.All.Select(option => option.Key), "resolved", "$schema"], properties.Select(property => property.Key));
        Assert.All(properties, property => Assert.True(property.Value!["type"] is not null && property.Value["description"]!.GetValue<string>().Length > 5, property.Key));
        Assert.Equal(["constant", "linear", "cosine", "plateau"], properties["schedule"]!["enum"]!.AsArray().Select(word => word!.GetValue<string>()));
        Assert.Equal((1, 2), (properties["batchSize"]!["minimum"]!.GetValue<int>(), properties["batchSize"]!["default"]!.GetValue<int>()));
        Assert.Null(properties["threads"]!["default"]);
    }

    [Fact]
    public async Task Run_files_that_are_printed_written_or_imported_fit_it()
    {
        var defaults = new TrainSettings();
        await AssertFitsAsync(RunFile.Print(defaults));
        await AssertFitsAsync(RunFile.Print(defaults with { Spec = defaults.Spec with { Data = "1234", KeyPrefix = "null", CheckpointName = "1e5", Weights = ".5", Output = "yes", Seed = long.MaxValue, LearningRate = 1e-9 } }));
        await AssertFitsAsync(await File.ReadAllTextAsync(Path.Combine(CurrentFolder.Root, "samples", "influenza.yaml"), TestContext.Current.CancellationToken));
        await AssertFitsAsync(GenSlmImport.Read(Path.Combine(CurrentFolder.Root, "samples", "genslm-finetune.yaml"), gpusPerNode: null).RunFileText(CurrentFolder.Root));

        // As a run writes it into its output folder.
        var written = JsonSerializer.SerializeToNode(defaults.Spec, RunSpec.JsonOptions)!.AsObject();
        written["resolved"] = new JsonObject { ["runId"] = "x" };
        await AssertFitsAsync(written.ToJsonString());
    }

    [Theory]
    [InlineData("batchSise: 2")]
    [InlineData("optimizer: {kind: adam}")]
    [InlineData("optimizer: adan")]
    [InlineData("batchSize: 0")]
    [InlineData("batchSize: 1.5")]
    [InlineData("epochs: many")]
    [InlineData("learningRate: 0")]
    [InlineData("valFraction: 1")]
    [InlineData("valFraction: -0.5")]
    [InlineData("seqLength: 1")]
    [InlineData("keepBest: 0")]
    [InlineData("keepBest: -2")]
    [InlineData("seed: -1")]
    [InlineData("silos: 0")]
    [InlineData("valEvery: 0")]
    [InlineData("valEvery: often")]
    [InlineData("shuffle: perhaps")]
    [InlineData("bucketByLength: perhaps")]
    [InlineData("weights: null")]
    [InlineData("resolved: 5")]
    [InlineData("batchSize: 65537")]
    [InlineData("shards: 65537")]
    [InlineData("accumulationSteps: 65537")]
    [InlineData("epochs: 1000001")]
    [InlineData("threads: 1000000000")]
    [InlineData("maxSteps: 1000000000001")]
    [InlineData("checkpointName: ..")]
    [InlineData("checkpointName: a b")]
    [InlineData("checkpointName: ''")]
    public async Task What_the_reader_refuses_the_schema_refuses(string line)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        await File.WriteAllTextAsync(path, $"data: x.fasta\n{line}\n", TestContext.Current.CancellationToken);
        bool refused;
        try
        {
            refused = RunFile.Apply(new TrainSettings(), path).Validate().Any();
        }
        catch (UsageException)
        {
            refused = true;
        }

        Assert.True(refused, "the reader takes it");
        Assert.NotEmpty(await ProblemsAsync(line));
    }

    [Theory]
    [InlineData("valEvery: 50")]
    [InlineData("valEvery: 2 Epochs")]
    [InlineData("keepBest: -1")]
    [InlineData("seqLength: 0")]
    [InlineData("gradientClip: 0")]
    [InlineData("valFraction: 0")]
    [InlineData("learningRate: 5e-5")]
    [InlineData("shards: 65536")]
    [InlineData("threads: 1024")]
    [InlineData("priority: -2147483648")]
    [InlineData("checkpointName: flu_2.b-3")]
    [InlineData("resume: true")]
    [InlineData("$schema: docs/run.schema.json")]
    public async Task What_the_reader_takes_the_schema_takes(string line)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        await File.WriteAllTextAsync(path, $"data: x.fasta\n{line}\n", TestContext.Current.CancellationToken);
        Assert.Empty(RunFile.Apply(new TrainSettings(), path).Validate());
        Assert.Empty(await ProblemsAsync(line));
    }

    private static async Task AssertFitsAsync(string runFile)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        await File.WriteAllTextAsync(path, runFile, TestContext.Current.CancellationToken);
        RunFile.Apply(new TrainSettings(), path);
        Assert.Empty(await ProblemsAsync(runFile));
    }

    private static async Task<IEnumerable<string>> ProblemsAsync(string yaml)
    {
        var schema = await JsonSchema.FromJsonAsync(RunFileSchema.Text(), TestContext.Current.CancellationToken);
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return schema.Validate(Json(stream.Documents[0].RootNode)!.ToJsonString()).Select(problem => problem.ToString());
    }

    // As an editor reads YAML 1.2: plain numbers, booleans and null are what they look like.
    private static JsonNode? Json(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Select(entry => KeyValuePair.Create(((YamlScalarNode)entry.Key).Value!, Json(entry.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Select(Json)]),
        YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" } => null,
        YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } scalar => scalar.Value == "true",
        YamlScalarNode { Style: ScalarStyle.Plain } scalar when decimal.TryParse(scalar.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number) => number,
        YamlScalarNode scalar => scalar.Value,
        _ => throw new ArgumentException($"a {node.NodeType} is no setting"),
    };
}
