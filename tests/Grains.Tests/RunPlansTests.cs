using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Reflection;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Testing;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The plan of a run on a silo that does not see the run's data.</summary>
public sealed class RunPlansTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FileThreads _files = new();

    [Fact]
    public async Task What_the_order_depends_on_comes_from_a_silo_that_sees_the_data()
    {
        var fasta = _folder.File("data.fasta", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 40).Select(record => $">r{record}\n{string.Concat(Enumerable.Repeat("ATG", 2 + (record * 7 % 23)))}\n"))));
        using var stores = new TokenStores(_folder.File("cache"), _files);
        var spec = new RunSpec { Data = fasta, BucketByLength = true, Shards = 2, BatchSize = 3, SeqLength = 20 };
        var store = await stores.OpenAsync(spec);
        var data = new DataSummary(store.SourceHash, store.RecordCount, store.TokenCount, 0, 0, 0, 0);
        var here = new RunPlan(spec, ModelPresets.Find("tiny")!, store);
        Assert.Equal(store.Lengths(20)[7..], await Plans(stores).PieceAsync(spec, 20, data.Hash, 7));

        // Where it is asked for, there is no such file; one silo dies, one sees others, one has them and gives them by eleven.
        var asked = new ConcurrentQueue<string>();
        var lengths = store.Lengths(20);
        ImmutableArray<int> Answer(string silo, int first)
        {
            asked.Enqueue($"{silo} {first}");
            return silo switch
            {
                "@a" => throw new SiloUnavailableException("a died"),
                "@b" => throw new RunInputException("b sees other data"),
                _ => lengths.Slice(first, Math.Min(11, lengths.Length - first)),
            };
        }

        var plans = Plans(stores, Answer, "a", "b", "c");
        var there = await plans.OfAsync(Submission(spec with { Data = fasta + ".moved" }), data);
        Assert.Equal(["@a 0", "@b 0", "@c 0", "@c 11", "@c 22", "@c 33"], asked.Order(StringComparer.Ordinal));
        // Whoever has them needs nobody for them any more, and gives them.
        await plans.OfAsync(Submission(spec with { Data = fasta + ".moved" }), data);
        Assert.Equal(lengths[30..], await plans.PieceAsync(spec with { Data = fasta + ".moved" }, 20, data.Hash, 30));
        Assert.Equal(6, asked.Count);
        Assert.Equal(here.Data.Buckets!.LengthsHash, there.Data.Buckets!.LengthsHash);
        Assert.Equal(here.Order.Epoch(1, 2), there.Order.Epoch(1, 2));
        Assert.NotEqual(here.Order.Epoch(1, 2), new RunPlan(spec with { BucketByLength = false }, ModelPresets.Find("tiny")!, store).Order.Epoch(1, 2));
        await Assert.ThrowsAsync<StaleMessageException>(() => Plans(stores, Answer, "a", "b").OfAsync(Submission(spec with { Data = fasta + ".moved" }), data));
        await Assert.ThrowsAsync<RunInputException>(() => Plans(stores).PieceAsync(spec, 20, "another hash", 0));
    }

    public void Dispose()
    {
        _files.Dispose();
        _folder.Dispose();
    }

    private static RunSubmission Submission(RunSpec spec) => new(spec, ModelPresets.Find("tiny")!.ToJson(), Resume: false);

    private RunPlans Plans(TokenStores stores, Func<string, int, ImmutableArray<int>>? answer = null, params string[] silos)
    {
        var factory = Calls.Of<IGrainFactory>(of => of.Name == nameof(IGrainFactory.GetGrain) ? Calls.Of<ISiloGrain>(call => Task.FromResult(answer!(of.Key!, call.First))) : null);
        var members = silos.Select((name, i) => new ClusterMember(SiloAddress.New(IPAddress.Loopback, 1 + i, 1), SiloStatus.Active, name));
        var snapshot = new ClusterMembershipSnapshot(members.ToImmutableDictionary(member => member.SiloAddress), new MembershipVersion(1));
        return new RunPlans(stores, _files, factory, new Peers(Calls.Of<IClusterMembershipService>(_ => snapshot)));
    }

    /// <summary>Answers the calls of an interface, whichever is called.</summary>
    public class Calls : DispatchProxy
    {
        private Func<(string Name, string? Key, int First), object?> _answer = _ => null;

        /// <summary>Something that answers as told.</summary>
        public static T Of<T>(Func<(string Name, string? Key, int First), object?> answer)
            where T : class
        {
            var made = Create<T, Calls>();
            ((Calls)(object)made)._answer = answer;
            return made;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            _answer((targetMethod!.Name, args?.OfType<string>().FirstOrDefault(), args?.OfType<int>().LastOrDefault() ?? 0));
    }
}
