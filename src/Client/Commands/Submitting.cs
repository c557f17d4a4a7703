using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary>
/// Gives a run a name that is its own in the cluster, and starts it there. A name that is taken gets -2, -3, …, unless it was
/// asked for by --name.
/// </summary>
internal sealed class Submitting(ClusterConnection connection, TrainSettings settings, string? name)
{
    private const int LongestName = 100;

    /// <summary>Checks what can be checked before a cluster is spoken to.</summary>
    /// <exception cref="UsageException">Something cannot be; the message says what and what is expected.</exception>
    public static RunSubmission Check(TrainSettings settings, string? name)
    {
        if (name is not null && (name.Length is 0 or > LongestName || name[0] == '.' || !name.All(SubmissionCheck.IsOfRunId)))
            throw new UsageException($"name is '{name}'; expected at most {LongestName} letters, digits, '-', '_' and '.', the first not a dot.");
        var submission = SubmissionCheck.Resolve(settings, elsewhere: true);
        if (name is not null && settings.Resume && SubmissionCheck.RunId(submission.Spec) is var known && known != name && File.Exists(Path.Combine(submission.Spec.Output, "run.json")))
            throw new UsageException($"The output folder {submission.Spec.Output} is of the run {known}; leave out --name to go on with it.");
        return submission;
    }

    /// <summary>Starts the run.</summary>
    /// <returns>Its name and what was submitted.</returns>
    /// <exception cref="UsageException">The name or the output folder is taken.</exception>
    public async Task<(string RunId, RunSubmission Submission)> StartAsync(RunSubmission submission, CancellationToken cancellation)
    {
        var runs = await KnownRun.ListAsync(connection, cancellation);
        submission = submission with { Spec = submission.Spec with { Output = Output(submission.Spec, runs) } };
        if (submission.Resume) return (await ResumeAsync(submission, cancellation), submission);
        var wanted = name ?? SubmissionCheck.RunId(submission.Spec);
        for (int i = 1; ; i++)
        {
            var candidate = i == 1 ? wanted : $"{wanted}-{i}";
            if (await IsFreeAsync(candidate, cancellation) && await StartAsync(candidate, submission, cancellation)) return (candidate, submission);
            if (name is not null) throw new UsageException($"The cluster has a run '{name}' already; choose another --name, or leave it out to get a free one.");
        }
    }

    // The output folder's run keeps its name, and its place among the runs if the cluster still knows it.
    private async Task<string> ResumeAsync(RunSubmission submission, CancellationToken cancellation)
    {
        var id = name ?? SubmissionCheck.RunId(submission.Spec);
        var run = connection.Grains.GetGrain<ITrainingRunGrain>(id);
        var status = await connection.Calls.AskAsync(() => run.GetStatusAsync(long.MaxValue), cancellation);
        if (status.State != RunState.Unknown && !status.IsOver) throw new UsageException($"The run {id} is under way already; 'genslm watch {id}' shows it.");
        await connection.Calls.TellAsync(() => run.StartAsync(submission), cancellation);
        return id;
    }

    private async Task<bool> IsFreeAsync(string id, CancellationToken cancellation) => await SubmittedAsync(id, cancellation) is null;

    // Another console may have taken the name in between: starting a run that is under way does nothing.
    private async Task<bool> StartAsync(string id, RunSubmission submission, CancellationToken cancellation)
    {
        await connection.Calls.TellAsync(() => connection.Grains.GetGrain<ITrainingRunGrain>(id).StartAsync(submission), cancellation);
        return await SubmittedAsync(id, cancellation) == submission;
    }

    private Task<RunSubmission?> SubmittedAsync(string id, CancellationToken cancellation) =>
        connection.CallAsync(grains => grains.GetGrain<ITrainingRunGrain>(id).GetSubmissionAsync(), cancellation);

    private string Output(RunSpec spec, ImmutableArray<QueuedRun> runs)
    {
        if (settings.Spec.Output.Length == 0) return SubmissionCheck.FreeOutput(name ?? SubmissionCheck.NameOf(spec.Data), folder => runs.Any(run => run.Output == folder));
        return runs.FirstOrDefault(run => run.Active && run.Output == spec.Output) is { } other
            ? throw new UsageException($"The run {other.RunId} writes to {spec.Output} already; choose another --output.")
            : spec.Output;
    }
}
