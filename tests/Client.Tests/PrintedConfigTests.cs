using System.Text.RegularExpressions;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary>What the console makes of its arguments, seen through --print-config, which starts nothing.</summary>
public sealed class PrintedConfigTests
{
    [Fact]
    public async Task Without_options_it_prints_the_defaults_as_a_run_file_that_parses()
    {
        var settings = await PrintedAsync("train", "x.fasta");
        var defaults = new TrainSettings();
        Assert.Equal(defaults with { Spec = defaults.Spec with { Data = "x.fasta" } }, settings);
        Assert.Equal(("tiny", 1, 1), (settings.Spec.Model, settings.Spec.Shards, settings.Silos));
    }

    [Fact]
    public async Task Every_option_of_the_list_can_be_typed()
    {
        var typed = RunOptions.All.Where(option => option.Key != "data" && !option.IsFlag).ToArray();
        var defaults = new TrainSettings();
        var settings = await PrintedAsync(["train", "x.fasta", .. typed.SelectMany(option => new[] { option.OptionName, option.Get(defaults) })]);
        Assert.Equal(defaults with { Spec = defaults.Spec with { Data = "x.fasta" } }, settings);
    }

    [Fact]
    public async Task Options_override_the_run_file_and_the_run_file_overrides_the_defaults()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("run.yaml", "data: from-file.fasta\nepochs: 7\nbatchSize: 5\nsilos: 2\n"u8);
        var settings = await PrintedAsync("train", "--config", file, "--epochs", "9", "--keep-best", "-1");
        Assert.Equal(("from-file.fasta", 9, 5, 2, -1), (settings.Spec.Data, settings.Spec.Epochs, settings.Spec.BatchSize, settings.Silos, settings.Spec.KeepBest));
        Assert.Equal(10, settings.Spec.AccumulationSteps);
        Assert.Equal("typed.fasta", (await PrintedAsync("train", "typed.fasta", "--config", file)).Spec.Data);
    }

    [Fact]
    public async Task Several_files_can_be_typed_and_listed()
    {
        using var folder = new TemporaryFolder();
        var typed = await PrintedAsync("train", "a.fasta", "b.fasta", "--val-data", "v.h5", "--val-data", "w.h5", "--strip-gaps", "--frame", "orf");
        Assert.Equal(("a.fasta\nb.fasta", "v.h5\nw.h5", true, FrameChoice.LongestOpen), (typed.Spec.Data, typed.Spec.ValData, typed.Spec.StripGaps, typed.Spec.Frame));
        var file = folder.File("run.yaml", "data:\n- c.fasta\n- d.fasta\ntestData: t.h5\n"u8);
        var listed = await PrintedAsync("train", "--config", file);
        Assert.Equal(("c.fasta\nd.fasta", "t.h5", ""), (listed.Spec.Data, listed.Spec.TestData, listed.Spec.ValData));
    }

    [Fact]
    public async Task The_version_is_one_line_on_standard_output()
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("--version");
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Matches(new Regex(@"^\d+\.\d+\.\d+\S*\r?\n$", RegexOptions.None, TimeSpan.FromSeconds(1)), output);
    }

    [Fact]
    public async Task Verbose_shows_the_stack_trace_and_keeps_the_exit_code()
    {
        var (exitCode, _, errors) = await CapturedConsole.RunAsync("train", "x.fasta", "--silos", "0", "--verbose");
        Assert.Equal(2, exitCode);
        Assert.Contains("silos is 0; it must be at least 1.", errors);
        Assert.Contains(" at GenSlmOrleans.Client.", errors);
    }

    private static async Task<TrainSettings> PrintedAsync(params string[] arguments)
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync([.. arguments, "--print-config"]);
        Assert.Equal((0, ""), (exitCode, errors));
        using var folder = new TemporaryFolder();
        var file = folder.File("printed.yaml");
        await File.WriteAllTextAsync(file, output, TestContext.Current.CancellationToken);
        return RunFile.Apply(new TrainSettings(), file);
    }
}
