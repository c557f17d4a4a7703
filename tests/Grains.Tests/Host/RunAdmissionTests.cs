using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests.Host;

public sealed class RunAdmissionTests
{
    private const long GibiByte = 1L << 30;

    private static readonly RunSpec Small = new() { Data = "x", Model = "genslm_25M_patric", SeqLength = 8, BatchSize = 1, Shards = 4 };

    [Fact]
    public void A_model_of_2_5_billion_parameters_is_refused_within_6_GB_with_both_figures_and_what_would_help()
    {
        var run = Run(new RunSpec { Data = "x", Model = "genslm_2.5B_patric" });
        var silo = Silo("silo-0", 6 * GibiByte);
        var admission = RunAdmission.Decide(run, [silo]);
        Assert.False(admission.IsAdmitted);
        var sentence = RunAdmission.Objection(run, [silo]);
        Assert.Matches(@"^Model genslm_2\.5B_patric needs [0-9.]+ GiB of memory on silo-0 \(.*\), which may use 6\.00 GiB \(memory\.max of its control group\)\. ", sentence);
        Assert.Contains("Neither bf16, a shorter sequence, a smaller batch nor more silos would do by itself", sentence);
        Assert.DoesNotContain('\n', sentence);
    }

    [Fact]
    public void What_is_said_to_help_does()
    {
        var spec = new RunSpec { Data = "x", Model = "genslm_25M_patric", BatchSize = 8 };
        var sentence = RunAdmission.Objection(Run(spec), [Silo("silo-0", 3 * GibiByte)]);
        Assert.Contains("What would help: batchSize 1, or seqLength 512, or more memory.", sentence);
        Assert.True(RunAdmission.Decide(Run(spec with { BatchSize = 1 }), [Silo("silo-0", 3 * GibiByte)]).IsAdmitted);
        Assert.True(RunAdmission.Decide(Run(spec with { SeqLength = 512 }), [Silo("silo-0", 3 * GibiByte)]).IsAdmitted);
        Assert.False(RunAdmission.Decide(Run(spec with { SeqLength = 1024 }), [Silo("silo-0", 3 * GibiByte)]).IsAdmitted);
    }

    [Fact]
    public void A_large_batch_of_validation_counts_where_there_is_validation_and_is_said_to_be_what_to_change()
    {
        var spec = Small with { SeqLength = 1024, ValBatchSize = 64 };
        var plain = Run(spec with { ValBatchSize = 0 }).On(silos: 1, cpuDevices: 1);
        Assert.True(Run(spec).On(silos: 1, cpuDevices: 1).Activations > 2 * plain.Activations);
        Assert.Equal(plain.Activations, Run(spec with { ValFraction = 0 }).On(silos: 1, cpuDevices: 1).Activations);
        Assert.True(Run(spec with { ValFraction = 0, TestData = "y" }).On(silos: 1, cpuDevices: 1).Activations > 2 * plain.Activations);

        SiloRoom[] silos = [Silo("silo-0", plain.TrainingBytes)];
        Assert.Contains("valBatchSize 0", RunAdmission.Objection(Run(spec), silos));
        Assert.True(RunAdmission.Decide(Run(spec with { ValBatchSize = 0 }), silos).IsAdmitted);
        // A smaller batch makes that of validation smaller where nothing else is said.
        var large = Small with { SeqLength = 1024, BatchSize = 64 };
        Assert.Contains("batchSize 1", RunAdmission.Objection(Run(large), silos));
    }

    [Fact]
    public void More_silos_help_where_partitions_are_what_is_too_large()
    {
        var spec = new RunSpec { Data = "x", Model = "genslm_250M_patric", SeqLength = 8, BatchSize = 1 };
        var sentence = RunAdmission.Objection(Run(spec), [Silo("silo-0", 6 * GibiByte)]);
        var count = int.Parse(sentence[..sentence.IndexOf(" silos with so much each", StringComparison.Ordinal)].Split(' ')[^1]);
        Assert.True(RunAdmission.Decide(Run(spec), Silos(count)).IsAdmitted);
        Assert.Equal(count, RunAdmission.Decide(Run(spec), Silos(count)).Silos.Length);
        Assert.Empty(RunAdmission.Decide(Run(spec), Silos(count - 1)).Silos);

        static SiloRoom[] Silos(int count) => [.. Enumerable.Range(0, count).Select(i => Silo($"silo-{i}", 6 * GibiByte))];
    }

    [Fact]
    public void A_run_that_can_train_is_taken_whether_or_not_a_checkpoint_has_room_beside_it()
    {
        var run = Run(new RunSpec { Data = "x", Model = "genslm_250M_patric", SeqLength = 8, BatchSize = 1 });
        var need = run.On(silos: 1, cpuDevices: 1);
        Assert.InRange(need.TrainingBytes, 6_400_000_000, 6_600_000_000);
        Assert.InRange(need.MostBytes, 9_400_000_000, 9_700_000_000);
        Assert.True(RunAdmission.Decide(run, [Silo("silo-0", need.TrainingBytes)]).IsAdmitted);
        Assert.False(RunAdmission.Decide(run, [Silo("silo-0", need.TrainingBytes - 1)]).IsAdmitted);
    }

    [Fact]
    public void A_silo_without_room_stays_out_and_the_others_take_the_run()
    {
        var admission = RunAdmission.Decide(Run(Small), [Silo("large", 8 * GibiByte), Silo("small", GibiByte / 2), Silo("wide", 8 * GibiByte)]);
        Assert.Equal(["large", "wide"], admission.Silos);
        Assert.Equal(["small"], admission.Refused.Keys);
        Assert.Contains("on small (", admission.Refused["small"]);
    }

    [Fact]
    public void Silos_of_one_machine_share_what_it_has()
    {
        static SiloRoom Local(string name) => new(name, 1, [new MemoryPool("boot machine", "the machine", 2 * GibiByte)], 0);
        Assert.Equal(["silo-0"], RunAdmission.Decide(Run(Small), [Local("silo-0")]).Silos);
        Assert.Single(RunAdmission.Decide(Run(Small), [Local("silo-0"), Local("silo-1"), Local("silo-2")]).Silos);
        Assert.Equal(3, RunAdmission.Decide(Run(Small), [Silo("silo-0", 2 * GibiByte), Silo("silo-1", 2 * GibiByte), Silo("silo-2", 2 * GibiByte)]).Silos.Length);
    }

    [Fact]
    public void What_other_runs_have_is_not_there_and_what_the_run_itself_has_is()
    {
        var offer = new SiloOffer("silo-0", ["cpu"], false)
        {
            Memory = [new MemoryPool("group", "memory.max of its control group", 3 * GibiByte)],
            Reserved = [new MemoryReservation("other", 2 * GibiByte), new MemoryReservation("own", GibiByte)],
        };
        Assert.Equal(2 * GibiByte, SiloRoom.Of(offer, "own").ReservedBytes);
        Assert.False(RunAdmission.Decide(Run(Small), [SiloRoom.Of(offer, "own")]).IsAdmitted);
        Assert.True(RunAdmission.Decide(Run(Small), [SiloRoom.Of(offer with { Reserved = [new MemoryReservation("own", GibiByte)] }, "own")]).IsAdmitted);
    }

    [Fact]
    public void A_silo_that_says_nothing_of_its_memory_is_believed() =>
        Assert.True(RunAdmission.Decide(Run(Small with { Model = "genslm_25B_patric" }), [new SiloRoom("old", 1, [], 0)]).IsAdmitted);

    private static RunMemory Run(RunSpec spec) => new(spec, ModelPresets.Find(spec.Model)!, longestRecord: 0);

    private static SiloRoom Silo(string name, long bytes) => new(name, 1, [new MemoryPool($"group of {name}", "memory.max of its control group", bytes)], 0);
}
