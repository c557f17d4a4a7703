using System.Collections.Immutable;
using System.Net;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Bench;

/// <summary>Silos that are members from beginning to end.</summary>
internal sealed class InstantSilos : IClusterMembershipService
{
    public InstantSilos(int count)
    {
        Names = [.. Enumerable.Range(0, count).Select(i => $"silo-{i:D3}")];
        var members = Names.Select((name, i) => new ClusterMember(SiloAddress.New(IPAddress.Loopback, 1 + i, 1), SiloStatus.Active, name));
        CurrentSnapshot = new ClusterMembershipSnapshot(members.ToImmutableDictionary(member => member.SiloAddress), new MembershipVersion(1));
    }

    public ImmutableArray<string> Names { get; }

    public ClusterMembershipSnapshot CurrentSnapshot { get; }

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => UpdatesAsync();

    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public Task<bool> TryKill(SiloAddress siloAddress) => throw new NotSupportedException("Nobody dies here.");

    private async IAsyncEnumerable<ClusterMembershipSnapshot> UpdatesAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default)
    {
        yield return CurrentSnapshot;
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
    }
}

/// <summary>Every grain but the run's: each answers as soon as its caller waits for it, with what a sound cluster would answer, and does nothing.</summary>
internal sealed class InstantGrains(InstantAnswers answers) : IGrainFactory
{
    private readonly Dictionary<string, IGrainWithStringKey> _grains = new(StringComparer.Ordinal);

    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
    {
        if (_grains.TryGetValue(primaryKey, out var known) && known is TGrainInterface same) return same;
        var made = (TGrainInterface)Make(typeof(TGrainInterface), primaryKey);
        _grains[primaryKey] = made;
        return made;
    }

    private IGrainWithStringKey Make(Type kind, string key) =>
        kind == typeof(ISiteGrain) ? new InstantSite()
        : kind == typeof(IParameterServerGrain) ? new InstantPartition(answers, key)
        : kind == typeof(ISiloGrain) ? new InstantSilo(answers, key)
        : kind == typeof(IGpuGrain) ? new InstantDevice()
        : kind == typeof(IRunQueueGrain) ? new InstantQueue()
        : kind == typeof(ICheckpointGrain) ? new InstantFolder(answers)
        : throw Unused(kind);

    public TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithGuidKey => throw Unused(typeof(TGrainInterface));

    public TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithIntegerKey => throw Unused(typeof(TGrainInterface));

    public TGrainInterface GetGrain<TGrainInterface>(Guid primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithGuidCompoundKey => throw Unused(typeof(TGrainInterface));

    public TGrainInterface GetGrain<TGrainInterface>(long primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithIntegerCompoundKey => throw Unused(typeof(TGrainInterface));

    public TGrainObserverInterface CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver => throw Unused(typeof(TGrainObserverInterface));

    public void DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver => throw Unused(typeof(TGrainObserverInterface));

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey) => throw Unused(grainInterfaceType);

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey) => throw Unused(grainInterfaceType);

    public IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey) => throw Unused(grainInterfaceType);

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey, string keyExtension) => throw Unused(grainInterfaceType);

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey, string keyExtension) => throw Unused(grainInterfaceType);

    public TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
        where TGrainInterface : IAddressable => throw Unused(typeof(TGrainInterface));

    public IAddressable GetGrain(GrainId grainId) => throw Unused(typeof(IAddressable));

    public IAddressable GetGrain(GrainId grainId, GrainInterfaceType interfaceType) => throw Unused(typeof(IAddressable));

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey, string grainClassNamePrefix) => throw Unused(interfaceType);

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey) => throw Unused(interfaceType);

    private static NotSupportedException Unused(Type kind) => new($"A driver asks for no {kind.Name} this way.");
}
