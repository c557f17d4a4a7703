using System.Collections.Immutable;
using System.Net;
using System.Reflection;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Slow, refused and gone are three things to whoever asks a partition's copies.</summary>
public sealed class HolderCallsTests : IDisposable
{
    private static readonly Fence Now = new("run", 3, 1);

    private readonly Members _members = new("a", "b");
    private readonly ClusterMetrics _metrics = new("test");
    private readonly ComputeThreads _compute = new();
    private readonly RunJournal _journal;
    private readonly HolderCalls _calls;
    private readonly PartitionPlace _place = new(0, 0, 1, ["a", "b"]);

    public HolderCallsTests()
    {
        var grains = DispatchProxy.Create<IGrainFactory, Holders>();
        var record = new RunRecord { Generation = 1 };
        _journal = new RunJournal("run", new RunSurroundings(grains, _members, "a", record, () => Task.CompletedTask, _metrics, TimeProvider.System, NullLogger.Instance)
        {
            Objection = null,
            PlanAsync = (_, _) => throw new NotSupportedException(),
            Compute = _compute,
            Preparation = new PreparationCount("run", record, () => Task.CompletedTask, NullLogger.Instance),
        });
        var time = new InstantTime();
        _calls = new HolderCalls("run", grains, new ClusterView(_members, grains, _journal, time, threads: 1), _journal, time, NullLogger.Instance);
    }

    [Fact]
    public async Task A_copy_that_is_late_is_asked_again_and_kept()
    {
        int asked = 0;
        Assert.Equal(["a", "b"], await AskAsync(silo => silo == "b" && ++asked < 4 ? throw new TimeoutException("no answer") : true));
        Assert.Equal(4, asked);
        Assert.Empty(_journal.StatusSince(0).Events);
    }

    [Fact]
    public async Task A_copy_that_lives_and_says_nothing_for_minutes_is_not_counted_on_and_the_run_says_so()
    {
        Assert.Equal(["a"], await AskAsync(silo => silo == "b" ? throw new TimeoutException("no answer") : true));
        Assert.Equal("b lives and has not answered for partition 0 for 2 minutes; its copy is not counted on any more: no answer", Assert.Single(_journal.StatusSince(0).Events).Text);
    }

    [Fact]
    public async Task A_copy_that_has_not_what_was_asked_for_or_whose_silo_is_gone_is_not_asked_again()
    {
        int asked = 0;
        Assert.Equal(["a"], await AskAsync(silo => silo == "b" && ++asked > 0 ? throw new StaleMessageException("it has gone on") : true));
        Assert.Equal(1, asked);
        Assert.Equal(["a"], await AskAsync(silo =>
        {
            if (silo == "a") return true;
            _members.Lose("b");
            throw new TimeoutException("no answer");
        }));
    }

    [Fact]
    public async Task A_connection_that_breaks_costs_no_copy_while_it_takes_a_sum_from_another_unless_that_is_gone()
    {
        Holders.Fails = tries => tries < 3;
        var taken = await _calls.TakeReducedAsync(Now, _place, "b", from: "a");
        Assert.True(taken is { Missing.IsEmpty: true });
        _members.Lose("a");
        Holders.Fails = _ => true;
        Assert.Null(await _calls.TakeReducedAsync(Now, _place, "b", from: "a"));
    }

    private async Task<IEnumerable<string>> AskAsync(Func<string, bool> answer) =>
        (await _calls.EachAsync([_place], async (_, silo) =>
        {
            await Task.Yield();
            return answer(silo);
        }))[0].Answers.Select(known => known.Silo);

    public void Dispose()
    {
        _metrics.Dispose();
        _compute.Dispose();
    }

    /// <summary>Grains of which each is a holder.</summary>
    public class Holders : DispatchProxy
    {
        private static int s_tries;

        public static Func<int, bool> Fails
        {
            get;
            set => (field, s_tries) = (value, 0);
        }
        = _ => false;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
        {
            nameof(IGrainFactory.GetGrain) => Create<IParameterServerGrain, Holders>(),
            nameof(IParameterServerGrain.TakeReducedAsync) => Fails(s_tries++) ? Task.FromException(new TimeoutException("no answer")) : Task.CompletedTask,
            nameof(IParameterServerGrain.ReduceAsync) => Task.FromResult(new ReductionReport([0], [], [])),
            var other => throw new NotSupportedException(other),
        };
    }

    /// <summary>Members of a cluster that the test has gone by itself.</summary>
    private sealed class Members : IClusterMembershipService
    {
        public Members(params string[] names)
        {
            var members = names.Select((name, i) => new ClusterMember(SiloAddress.New(IPAddress.Loopback, 1 + i, 1), SiloStatus.Active, name));
            CurrentSnapshot = new ClusterMembershipSnapshot(members.ToImmutableDictionary(member => member.SiloAddress), new MembershipVersion(1));
        }

        public ClusterMembershipSnapshot CurrentSnapshot { get; private set; }

        public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

        public void Lose(string name)
        {
            var lost = CurrentSnapshot.Members.Values.Single(member => member.Name == name);
            CurrentSnapshot = new ClusterMembershipSnapshot(CurrentSnapshot.Members.SetItem(lost.SiloAddress, new ClusterMember(lost.SiloAddress, SiloStatus.Dead, name)), new MembershipVersion(2));
        }

        public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException();
    }
}
