using System.Collections.Concurrent;
using System.Net;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Grains.Sites;
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
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private readonly InProcessTestCluster _cluster;
    private readonly TemporaryFolder _folder = new();

    private readonly TemporaryFolder _cache;

    private TestCluster(InProcessTestCluster cluster, TestStore store, TemporaryFolder cache) => (_cluster, Store, _cache) = (cluster, store, cache);

    /// <summary>What is left of a silo's memory, by its name; of one that is not named here, what is left of the machine's.</summary>
    public required ConcurrentDictionary<string, long> FreeBytes { get; init; }

    /// <summary>The silos' memory, by name.</summary>
    public required ConcurrentDictionary<string, SiloMemory> Memories { get; init; }

    /// <summary>What a silo's device has to stand, by the silo's name; the real ones where it is not named.</summary>
    public required ConcurrentDictionary<string, DeviceTrials> Trials { get; init; }

    /// <summary>The silos' devices, by name.</summary>
    public required ConcurrentDictionary<string, SiloDevices> Devices { get; init; }

    /// <summary>What the silos have of runs, by name.</summary>
    public required ConcurrentDictionary<string, SiteStore> Sites { get; init; }

    /// <summary>Where grain state is kept.</summary>
    public TestStore Store { get; }

    /// <summary>The silo processes' stand-ins, by address: a silo that was replaced has another.</summary>
    public IReadOnlyList<string> Addresses => [.. _cluster.Silos.Select(silo => silo.SiloAddress.ToString())];

    public IGrainFactory Grains => _cluster.Client;

    public IReadOnlyList<string> Silos => [.. _cluster.Silos.Select(silo => silo.Name)];

    /// <summary>Ends a silo without a word to the others.</summary>
    public Task KillAsync(string name) => _cluster.KillSiloAsync(_cluster.Silos.First(silo => silo.Name == name));

    /// <summary>Starts one more silo; its name.</summary>
    public async Task<string> JoinAsync() => (await _cluster.StartAdditionalSiloAsync()).Name;

    /// <summary>Tells a silo to leave, as its process does on SIGTERM; completes when it holds nothing any more.</summary>
    public Task DrainAsync(string name)
    {
        var drain = Of<SiloDrain>(name);
        drain.Begin();
        Of<SiteStore>(name).AbandonWindows();
        return drain.HandedOver;
    }

    /// <summary>Stops a silo in order.</summary>
    public Task StopAsync(string name) => _cluster.StopSiloAsync(_cluster.Silos.First(silo => silo.Name == name));

    /// <summary>What a silo has one of.</summary>
    public T Of<T>(string name)
        where T : notnull => _cluster.Silos.First(silo => silo.Name == name).ServiceProvider.GetRequiredService<T>();

    /// <summary>The file of tokens that a silo has mapped.</summary>
    public string Tokens(string name) => Directory.GetFiles(_cache.File(name)).Single();

    /// <param name="silos">How many.</param>
    /// <param name="patience">How long the store is waited for.</param>
    /// <param name="memory">What each silo may use; null: what the machine has.</param>
    /// <param name="siteTime">The clock by which a site decides that a device hangs.</param>
    /// <param name="hasChannel">Whether blocks go past Orleans.</param>
    /// <param name="deviceNames">The devices of each silo, all of them the processor; null: one.</param>
    public static async Task<TestCluster> StartAsync(
        short silos, StorePatience? patience = null, Func<SiloMemory>? memory = null, TimeProvider? siteTime = null, bool hasChannel = true, string[]? deviceNames = null)
    {
        var cache = new TemporaryFolder();
        var builder = new InProcessTestClusterBuilder(silos);
        var store = new TestStore();
        var free = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        var memories = new ConcurrentDictionary<string, SiloMemory>(StringComparer.Ordinal);
        var trials = new ConcurrentDictionary<string, DeviceTrials>(StringComparer.Ordinal);
        var devices = new ConcurrentDictionary<string, SiloDevices>(StringComparer.Ordinal);
        var sites = new ConcurrentDictionary<string, SiteStore>(StringComparer.Ordinal);
        builder.ConfigureSilo((options, silo) =>
        {
            silo.Services.AddPlacementDirector<OnNamedSilo, NamedSiloDirector>();
            silo.Services.AddSingleton(TimeProvider.System);
            silo.Services.AddSingleton(devices.GetOrAdd(options.SiloName, name => new SiloDevices([.. (deviceNames ?? ["cpu"]).Select(device => new ComputeDevice(device, siteTime ?? TimeProvider.System, new DeviceTrials(
                (replica, origin, batch) => trials.GetValueOrDefault(name, DeviceTrials.Real).Prove(replica, origin, batch),
                probed => trials.GetValueOrDefault(name, DeviceTrials.Real).Probe(probed))))])));
            silo.Services.AddSingleton<ComputeThreads>();
            silo.Services.AddSingleton<FileThreads>();
            silo.Services.AddSingleton(services => new TokenStores(cache.File(options.SiloName), services.GetRequiredService<FileThreads>()));
            silo.Services.AddSingleton(memories[options.SiloName] = memory?.Invoke() ?? new SiloMemory(() => free.TryGetValue(options.SiloName, out long left)
                ? [new MemoryBound(new MemoryPool(options.SiloName, "what the test leaves it", 1L << 40), left)]
                : MemoryBounds.Read(settingBytes: null)));
            silo.Services.AddSingleton<SiloDrain>();
            silo.Services.AddSingleton<Peers>();
            silo.Services.AddSingleton<RunPlans>();
            silo.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<SiteResources>(services) with { Time = siteTime ?? TimeProvider.System });
            silo.Services.AddSingleton(services => sites[options.SiloName] = ActivatorUtilities.CreateInstance<SiteStore>(services));
            silo.Services.AddSingleton(new ChannelSettings(IPAddress.Loopback, IsOn: hasChannel));
            silo.Services.AddTensorChannel();
            silo.Services.AddHostedService<RunWaker>();
            silo.Services.AddGrainStorage(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME, (services, _) => new TestStorage(services, store));
            silo.Services.AddSingleton(patience ?? new StorePatience(OfCall: TimeSpan.FromSeconds(10), OfRun: TimeSpan.FromMinutes(2)));
            silo.UseInMemoryReminderService();
            silo.Configure<ReminderOptions>(options => options.MinimumReminderPeriod = TimeSpan.FromSeconds(1));
            silo.Configure<ClusterMembershipOptions>(options =>
            {
                (options.ProbeTimeout, options.NumMissedProbesLimit, options.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1);
                options.TableRefreshTimeout = TimeSpan.FromSeconds(2);
            });
            // As silos have it, and less. Nothing refuses a connection within one process: who asks a silo that is killed where a grain is gets no answer at all.
            silo.Configure<SiloMessagingOptions>(options => (options.SystemResponseTimeout, options.PlacementTimeout) = (TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(5)));
            silo.Services.AddSingleton(new ClusterMetrics(options.SiloName));
        });
        var deployed = builder.Build();
        await deployed.DeployAsync();
        return new TestCluster(deployed, store, cache) { FreeBytes = free, Memories = memories, Trials = trials, Devices = devices, Sites = sites };
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
            catch (Exception exception) when (exception is OrleansException or NotAMemberException or TimeoutException && !deadline.IsCancellationRequested)
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
        _cache.Dispose();
        _folder.Dispose();
    }
}
