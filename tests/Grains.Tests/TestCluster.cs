using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Testing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Providers;
using Orleans.Runtime.Hosting;
using Orleans.TestingHost;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Silos in this process, which talk to each other as separate ones do, with the real grains on real devices.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    private readonly InProcessTestCluster _cluster;
    private readonly TemporaryFolder _folder = new();

    private TestCluster(InProcessTestCluster cluster) => _cluster = cluster;

    public IGrainFactory Grains => _cluster.Client;

    public IReadOnlyList<string> Silos => [.. _cluster.Silos.Select(silo => silo.Name)];

    /// <summary>Ends a silo without a word to the others.</summary>
    public Task KillAsync(string name) => _cluster.KillSiloAsync(_cluster.Silos.First(silo => silo.Name == name));

    /// <summary>Starts one more silo; its name.</summary>
    public async Task<string> JoinAsync() => (await _cluster.StartAdditionalSiloAsync()).Name;

    public static async Task<TestCluster> StartAsync(short silos)
    {
        var cache = new TemporaryFolder();
        var builder = new InProcessTestClusterBuilder(silos);
        var cluster = Guid.NewGuid().ToString("N");
        builder.ConfigureSilo((options, silo) =>
        {
            silo.Services.AddPlacementDirector<OnNamedSilo, NamedSiloDirector>();
            silo.Services.AddSingleton(TimeProvider.System);
            silo.Services.AddSingleton(new SiloDevices(["cpu"], TimeProvider.System));
            silo.Services.AddSingleton(new TokenStores(cache.File(options.SiloName)));
            silo.Services.AddSingleton<SiloDrain>();
            silo.Services.AddSingleton<PartitionStore>();
            silo.Services.AddSingleton<ReplicaStore>();
            silo.Services.AddHostedService<RunWaker>();
            silo.Services.AddGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, (services, _) => new TestStorage(services) { Cluster = cluster });
            silo.UseInMemoryReminderService();
            silo.Configure<ReminderOptions>(options => options.MinimumReminderPeriod = TimeSpan.FromSeconds(1));
            silo.Configure<ClusterMembershipOptions>(options =>
            {
                (options.ProbeTimeout, options.NumMissedProbesLimit, options.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1);
                options.TableRefreshTimeout = TimeSpan.FromSeconds(2);
            });
            silo.Services.AddSingleton(new ClusterMetrics(options.SiloName));
        });
        var deployed = builder.Build();
        await deployed.DeployAsync();
        return new TestCluster(deployed);
    }

    /// <summary>A data set of related records: <paramref name="codons"/> codons, each a few changes from the next.</summary>
    public string Fasta(int records, int codons)
    {
        var text = new StringBuilder();
        for (int record = 0; record < records; record++)
        {
            text.Append(">record ").Append(record).Append('\n');
            for (int codon = 0; codon < codons - (record % 3); codon++)
                for (int letter = 0; letter < 3; letter++) text.Append("ACGT"[((codon * 7) + (letter * 3) + (codon % 11 == record % 11 ? record : 0)) % 4]);
            text.Append('\n');
        }

        return _folder.File($"{records}x{codons}.fasta", Encoding.ASCII.GetBytes(text.ToString()));
    }

    public string Output(string name) => _folder.File(name);

    public async Task<ITrainingRunGrain> StartRunAsync(string runId, RunSpec spec, HuggingFaceConfig config, bool resume = false)
    {
        var run = Grains.GetGrain<ITrainingRunGrain>(runId);
        await run.StartAsync(new RunSubmission(spec with { Output = Output(runId) }, config.ToJson(), resume));
        return run;
    }

    /// <summary>Runs to the end, whichever it is.</summary>
    public async Task<RunStatus> RunAsync(string runId, RunSpec spec, HuggingFaceConfig config)
    {
        var run = await StartRunAsync(runId, spec, config);
        return await UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, $"the end of run {runId}");
    }

    /// <summary>Asks again when the silo that was asked has died.</summary>
    public static async Task<T> PatientlyAsync<T>(Func<Task<T>> ask)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (true)
        {
            try
            {
                return await ask().WaitAsync(TimeSpan.FromSeconds(5));
            }
            catch (Exception exception) when (exception is OrleansException or TimeoutException && !deadline.IsCancellationRequested)
            {
                await Task.Yield();
            }
        }
    }

    /// <summary>Asks again and again until the answer is as wanted.</summary>
    public static async Task<T> UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> wanted, string what)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        // Paced, so that asking does not take the processor from what is asked about.
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (true)
        {
            var answer = await ask();
            if (wanted(answer)) return answer;
            Assert.False(deadline.IsCancellationRequested, $"waited {Deadline} for {what}; the last answer was {answer}");
            await pace.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        _folder.Dispose();
    }
}
