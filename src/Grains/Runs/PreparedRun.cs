using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>A run with everything in place for its first step: data on every silo, parameters in the partitions, replicas on the devices.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Plan">What follows from its spec.</param>
/// <param name="Generation">Of this placement.</param>
/// <param name="Shares">Which device has which shards.</param>
/// <param name="Partitions">Where the parameters are.</param>
/// <param name="Inventory">What the output folder held.</param>
internal sealed record PreparedRun(
    string RunId,
    RunPlan Plan,
    long Generation,
    ImmutableArray<DeviceShare> Shares,
    PartitionMap Partitions,
    CheckpointInventory Inventory)
{
    public string GpuKey(DeviceShare share) => $"{RunId}/{share.Device}@{share.Silo}";

    public Fence FenceAt(long step) => new(RunId, step, Generation);
}

/// <summary>Prepares runs.</summary>
internal sealed class RunPreparation(IGrainFactory grains, IClusterMembershipService membership, RunJournal journal)
{
    /// <exception cref="RunInputException">Data, weights or output folder are not as they should be.</exception>
    public async Task<PreparedRun> PrepareAsync(string runId, RunSubmission submission, long generation)
    {
        var config = HuggingFaceConfig.Parse(submission.ModelConfig);
        var silos = await OffersAsync();
        var data = await OpenDataAsync(submission.Spec, RunPlan.SequenceLimitOf(submission.Spec, config), silos);
        var plan = new RunPlan(submission.Spec, config, RunData.Sets(data));
        WarnAbout(data, plan);

        var checkpoint = grains.GetGrain<ICheckpointGrain>(runId);
        var inventory = await checkpoint.OpenAsync(runId, submission, data);
        var prepared = new PreparedRun(
            runId, plan, generation, ClusterPlacement.Shards(submission.Spec.Shards, silos), ClusterPlacement.Partitions(plan.Layout, silos), inventory);
        await SetUpAsync(prepared, submission, checkpoint);
        return prepared;
    }

    private async Task<List<SiloOffer>> OffersAsync()
    {
        var names = membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active)
            .Select(member => member.Name)
            .Order(StringComparer.Ordinal);
        return [.. await Task.WhenAll(names.Select(name => grains.GetGrain<ISiloGrain>($"@{name}").DescribeAsync()))];
    }

    private async Task<DataSummary> OpenDataAsync(RunSpec spec, int sequenceLimit, List<SiloOffer> silos)
    {
        var summaries = await Task.WhenAll(silos.Select(silo => grains.GetGrain<ISiloGrain>($"@{silo.SiloName}").OpenDataAsync(spec, sequenceLimit)));
        for (int i = 1; i < summaries.Length; i++)
        {
            if (summaries[i].Hash != summaries[0].Hash)
                throw new RunInputException($"{FileList.Text(spec.Data)} is not the same everywhere: {silos[0].SiloName} sees hash {summaries[0].Hash}, {silos[i].SiloName} sees {summaries[i].Hash}.");
        }

        return summaries[0];
    }

    private void WarnAbout(DataSummary data, RunPlan plan)
    {
        journal.Note($"{data.RecordCount:N0} records, {data.TokenCount:N0} tokens; {plan.Split.Training.Length:N0} for training, {plan.Split.Validation.Length:N0} for validation{(data.TestRecords > 0 ? $", {data.TestRecords:N0} for testing" : "")}; {plan.Layout.ParameterCount:N0} parameters");
        if (data.TruncatedRecords > 0)
            journal.Warn($"{data.TruncatedRecords:N0} of {data.RecordCount:N0} records are longer than {plan.SequenceLimit:N0} tokens and are truncated.");
        if (data.UnknownTokenCount > 0.05 * data.TokenCount)
        {
            var guess = data.UracilCount > 0 ? $"the sequences hold {data.UracilCount:N0} letters U; write RNA with T" : "is it protein, or out of frame?";
            journal.Warn($"{100.0 * data.UnknownTokenCount / data.TokenCount:F1} % of the tokens are [UNK]: {guess}");
        }

        if (data.GapCount > 0)
            journal.Warn($"The sequences hold {data.GapCount:N0} gap characters; a codon with a gap becomes one or more [UNK]. Is it an alignment?");
    }

    private async Task SetUpAsync(PreparedRun run, RunSubmission submission, ICheckpointGrain checkpoint)
    {
        var context = new RunContext(run.RunId, submission.Spec, submission.ModelConfig, run.Plan.SequenceLimit);
        var fence = run.FenceAt(run.Inventory.Progress?.Step ?? 0);
        bool fromSeed = run.Inventory.Progress is null && submission.Spec.Weights.Length == 0;
        await Task.WhenAll(run.Partitions.Places.Select(place =>
            grains.GetGrain<IParameterServerGrain>(place.Key(run.RunId)).SetUpAsync(new PartitionSetup(fence, place, context, fromSeed))));
        if (!fromSeed) await checkpoint.RestoreAsync(fence, run.Partitions);
        await Task.WhenAll(run.Shares.Select(share => grains.GetGrain<IGpuGrain>(run.GpuKey(share)).PrepareAsync(context)));
    }
}
