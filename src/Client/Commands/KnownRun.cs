using System.Collections.Immutable;
using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary>A run that the cluster knows, and the connection through which it is spoken to.</summary>
internal sealed class KnownRun : IAsyncDisposable
{
    private readonly ClusterConnection _connection;

    private KnownRun(ClusterConnection connection, string id, RunSubmission submission)
    {
        (_connection, Id, Submission) = (connection, id, submission);
        Grain = connection.Grains.GetGrain<ITrainingRunGrain>(id);
    }

    public string Id { get; }

    public RunSubmission Submission { get; }

    public ITrainingRunGrain Grain { get; }

    /// <summary>Repeats calls for as long as the cluster is there.</summary>
    public PatientCall Calls => _connection.Calls;

    /// <summary>The argument RUN.</summary>
    public static Argument<string> Argument() => new("RUN") { Description = "the run's name, as 'genslm runs' lists it" };

    /// <summary>Connects to the cluster that is meant and finds the run there.</summary>
    /// <exception cref="UsageException">The cluster does not know it; the message names the nearest one.</exception>
    /// <exception cref="ClusterException">The cluster does not answer.</exception>
    public static async Task<KnownRun> OpenAsync(string? gateway, string id, CancellationToken cancellation)
    {
        var connection = await GatewayOption.ConnectAsync(gateway, cancellation);
        try
        {
            var submission = id.Length == 0 ? null : await connection.CallAsync(grains => grains.GetGrain<ITrainingRunGrain>(id).GetSubmissionAsync(), cancellation);
            return submission is null ? throw Unknown(id, await ListAsync(connection, cancellation)) : new KnownRun(connection, id, submission);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>All runs of a cluster, in the order in which they get devices; those that are over last.</summary>
    public static Task<ImmutableArray<QueuedRun>> ListAsync(ClusterConnection connection, CancellationToken cancellation) =>
        connection.CallAsync(grains => grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ListAsync(), cancellation);

    /// <summary>Where the run stands, with the events after a sequence number.</summary>
    public Task<RunStatus> StatusAsync(long afterSequence, CancellationToken cancellation) =>
        Calls.AskAsync(() => Grain.GetStatusAsync(afterSequence), cancellation);

    /// <summary>The run's line in the cluster's queue; null when it has been forgotten there.</summary>
    public async Task<QueuedRun?> QueuedAsync(CancellationToken cancellation) =>
        (await ListAsync(_connection, cancellation)).FirstOrDefault(run => run.RunId == Id);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static UsageException Unknown(string id, ImmutableArray<QueuedRun> runs) => new(runs.IsEmpty
        ? $"The cluster knows no run '{id}', nor any other; 'genslm submit run.yaml' submits one."
        : $"The cluster knows no run '{id}'; did you mean {NearestName.Of(id, runs.Select(run => run.RunId))}? 'genslm runs' lists them all.");
}
