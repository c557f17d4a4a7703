using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;

namespace GenSlmOrleans.Client.Tests;

public sealed class ChaosScheduleTests
{
    private const long Steps = 24;

    private static readonly FaultKind[] AllKinds = Enum.GetValues<FaultKind>();

    [Fact]
    public void A_schedule_is_a_function_of_seed_and_run()
    {
        for (int run = 1; run <= 20; run++)
            Assert.Equal(FaultSchedule.Create(7, run, AllKinds, Steps, 3), FaultSchedule.Create(7, run, AllKinds, Steps, 3));
        Assert.Equal(
            ["join at step 3 during push; redis at step 17 during commit", "pause worker at step 11 during apply"],
            Enumerable.Range(1, 2).Select(run => string.Join("; ", FaultSchedule.Create(1, run, AllKinds, Steps, 3))));
        Assert.Equal(40, Enumerable.Range(1, 20).SelectMany(run => new[] { Text(1, run), Text(2, run) }).Distinct().Count());
    }

    [Fact]
    public void Faults_come_in_order_within_the_run_with_steps_between_them() => Assert.All(Enumerable.Range(1, 200), run =>
    {
        var steps = FaultSchedule.Create(3, run, AllKinds, Steps, 3).Select(fault => fault.Step).ToArray();
        Assert.InRange(steps.Length, 1, 3);
        Assert.All(steps, step => Assert.InRange(step, 1, Steps));
        Assert.All(steps.Zip(steps.Skip(1)), pair => Assert.True(pair.Second - pair.First >= 3, $"{pair}"));
    });

    [Fact]
    public void Every_kind_role_and_phase_is_drawn_and_none_that_is_not_asked_for()
    {
        var drawn = Enumerable.Range(1, 500).SelectMany(run => FaultSchedule.Create(5, run, AllKinds, Steps, 3)).ToArray();
        Assert.Equal(AllKinds, drawn.Select(fault => fault.Kind).Distinct().Order());
        Assert.Equal(Enum.GetValues<FaultPhase>().Where(phase => phase is not (FaultPhase.Restore or FaultPhase.Fill)), drawn.Select(fault => fault.Phase).Distinct().Order());
        Assert.Equal(Enum.GetValues<FaultRole>(), drawn.Select(fault => fault.Target.Role).Distinct().Order());
        Assert.All(Enumerable.Range(1, 100), run => Assert.All(
            FaultSchedule.Create(5, run, [FaultKind.Drain, FaultKind.Redis], Steps, 3), fault => Assert.True(fault.Kind is FaultKind.Drain or FaultKind.Redis)));
    }

    [Fact]
    public void Every_kind_is_drawn_unless_others_are_asked_for()
    {
        Assert.Equal(
            ["kill", "pause", "drain", "join", "slow", "redis", "cluster", "disk", "slow-disk", "partition", "hang", "flip"], FaultSchedule.Drawn.Select(kind => Fault.Of(kind).ToString().Split(' ')[0]));
        Assert.All(Enumerable.Range(1, 30).SelectMany(run => FaultSchedule.Create(5, run, [FaultKind.Hang], Steps, 3)), fault => Assert.Equal((FaultKind.Hang, FaultPhase.Any), (fault.Kind, fault.Phase)));
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(8, 2)]
    [InlineData(12, 3)]
    public void A_run_of_few_steps_has_few_faults(long steps, int most) =>
        Assert.Equal(most, Enumerable.Range(1, 100).Max(run => FaultSchedule.Create(5, run, AllKinds, steps, 3).Length));

    [Fact]
    public void A_fault_is_read_as_it_is_written()
    {
        Assert.All(Enumerable.Range(1, 200).SelectMany(run => FaultSchedule.Create(9, run, AllKinds, Steps, 3)), fault => Assert.Equal(fault, Fault.Parse(fault.ToString())));
        Assert.Equal(Fault.Kill(FaultRole.Driver).AtStep(3).During(FaultPhase.Push), Fault.Parse("kill driver at step 3 during push"));
        Assert.Equal(Fault.Kill(silo: 1), Fault.Parse("kill silo-1"));
        Assert.Equal(Fault.Kill(FaultRole.BothHolders, 2).AtStep(5), Fault.Parse(" kill both-holders-2 at step 5 "));
    }

    [Theory]
    [InlineData("kil driver", "the fault is 'kil'", "Did you mean kill?")]
    [InlineData("kill", "names no silo", "kill driver at step 3 during push")]
    [InlineData("redis driver", "which that fault has no use for", "redis at step 2")]
    [InlineData("kill dirver", "the fault's target is 'dirver'", "Did you mean driver?")]
    [InlineData("kill driver during pull", "the fault's phase is 'pull'", "Did you mean push?")]
    [InlineData("kill driver at step 0", "at step 0", "at least 1")]
    [InlineData("hang driver during push", "has a phase", "a hang is always at kernel")]
    [InlineData("partition at step 3", "names no silo", "such as")]
    [InlineData("kill driver soon!", "is not a fault", "such as 'kill driver")]
    public void What_is_no_fault_is_refused_with_a_sentence(string text, params string[] expected)
    {
        var refused = Assert.Throws<UsageException>(() => Fault.Parse(text));
        Assert.All(expected, part => Assert.Contains(part, refused.Message));
    }

    private static string Text(ulong seed, int run) => $"{string.Join("; ", FaultSchedule.Create(seed, run, AllKinds, Steps, 3))}";
}
