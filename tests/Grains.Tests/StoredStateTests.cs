using CsCheck;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Checkpoints;
using GenSlmOrleans.Grains.Runs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>What a silo stores it reads back, whatever it is and whichever version stored it.</summary>
public sealed class StoredStateTests : IDisposable
{
    private readonly IHost _host = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder().UseOrleans(silo => silo.UseLocalhostClustering()).Build();
    private readonly GrainStateSerializer _serializer;

    public StoredStateTests() => _serializer = new GrainStateSerializer(_host.Services);

    [Theory]
    [InlineData(typeof(RunSpec))]
    [InlineData(typeof(RunRecord))]
    [InlineData(typeof(RunQueueRecord))]
    [InlineData(typeof(CheckpointPointer))]
    public void Every_value_of_every_property_survives(Type type) => AnyValue.Of(type).Sample(
        written => AnyValue.Describe(Read(type, Write(type, written))) == AnyValue.Describe(written),
        iter: 1_000,
        threads: 1,
        print: AnyValue.Describe);

    [Fact]
    public void A_run_of_the_version_before_is_read_as_it_was_submitted()
    {
        var record = Stored<RunRecord>("run-waiting");
        Assert.Equal((false, 0.0, 42UL), (record.Submission!.Spec.Shuffle, record.Submission.Spec.ValFraction, record.Submission.Spec.Seed));
        Assert.Equal(
            new RunSpec
            {
                Data = "/data/influenza.fasta",
                Output = "/runs/run",
                AccumulationSteps = 1,
                MaxSteps = 100,
                Shards = 4,
                SeqLength = 100,
                MinDevices = 2,
                Shuffle = false,
                ValFraction = 0,
            },
            record.Submission.Spec);
        Assert.Equal((1, RunWish.Run, 0, false), (record.Generation, record.Wish, record.Preparations, record.Submission.Resume));
        Assert.Null(record.Final);
        Assert.Null(record.LastWrite);
        Assert.Null(SubmissionRules.Objection("stored", record.Submission));
    }

    [Fact]
    public void An_ended_run_a_queue_and_a_pointer_of_the_version_before_are_read()
    {
        var ended = Stored<RunRecord>("run-completed");
        Assert.Equal(0UL, ended.Submission!.Spec.Seed);
        Assert.Equal((RunState.Completed, 2L, 6), (ended.Final!.State, ended.Final.Step, ended.Final.Events.Length));
        Assert.Equal(["stored", "done", "poison"], Stored<RunQueueRecord>("queue").Runs.Select(run => run.RunId));
        Assert.Equal(("genslm-00-step2", ""), (Stored<CheckpointPointer>("checkpoints").Last, Stored<CheckpointPointer>("checkpoints").Best));
    }

    [Fact]
    public void A_setting_that_a_record_does_not_have_yet_has_its_own_default()
    {
        var spec = (RunSpec)Read(typeof(RunSpec), BinaryData.FromString("""{"Data":"x"}"""))!;
        Assert.Equal(new RunSpec { Data = "x", Seed = 0, ValFraction = 0, Shuffle = false }, spec);
    }

    public void Dispose() => _host.Dispose();

    private T Stored<T>(string name) => _serializer.Deserialize<T>(BinaryData.FromBytes(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "fixtures", "state", name + ".json"))))!;

    private BinaryData Write(Type type, object? value) =>
        (BinaryData)typeof(GrainStateSerializer).GetMethod(nameof(GrainStateSerializer.Serialize))!.MakeGenericMethod(type).Invoke(_serializer, [value])!;

    private object? Read(Type type, BinaryData stored) =>
        typeof(GrainStateSerializer).GetMethod(nameof(GrainStateSerializer.Deserialize))!.MakeGenericMethod(type).Invoke(_serializer, [stored]);
}
