using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The run's data as each silo sees them: opened once a silo, and only those count that see the same.</summary>
/// <param name="context">The run.</param>
/// <param name="dataHash">The hash of the data that it began with; empty when it has not begun.</param>
/// <param name="grains">Finds the silos.</param>
/// <param name="journal">Is told which silos cannot take part, and which are slow.</param>
/// <param name="time">The clock.</param>
internal sealed class SiloDataSets(RunContext context, string dataHash, IGrainFactory grains, RunJournal journal, TimeProvider time)
{
    private readonly Dictionary<SiloAddress, SiloDataSet> _known = [];
    private string _hash = dataHash;

    /// <summary>A silo's copy of the data.</summary>
    internal sealed class SiloDataSet(string silo, SlowPart slow)
    {
        public string Silo { get; } = silo;

        public SlowPart Slow { get; } = slow;

        public Task Opening { get; set; } = Task.CompletedTask;

        public DataSummary? Summary { get; set; }

        /// <summary>It sees other data, or none: it is not asked again.</summary>
        public bool IsRefused { get; set; }
    }

    /// <summary>Opens the data: on all silos, which have to agree; where it is known which data the run has, on the first that has them.</summary>
    /// <exception cref="RunInputException">A silo cannot read the data, or sees other data than the rest.</exception>
    public async Task<DataSummary> OpenAsync(IEnumerable<LiveSilo> silos)
    {
        var opening = silos.Select(silo => (silo.Name, Data: Open(silo))).ToList();
        if (_hash.Length > 0) return await FirstAsync([.. opening.Select(known => known.Data)]);
        DataSummary? first = null;
        string firstSilo = "";
        foreach (var (name, data) in opening)
        {
            await data.Opening;
            if (data.Summary is not { } summary) continue;
            if (first is not null && summary.Hash != first.Hash)
                throw new RunInputException($"{FileList.Text(context.Spec.Data)} is not the same everywhere: {firstSilo} sees hash {first.Hash}, {name} sees {summary.Hash}.");
            if (first is null) (first, firstSilo) = (summary, name);
        }

        _hash = first?.Hash ?? throw new StaleMessageException("No silo could open the data.");
        return first;
    }

    /// <summary>What a silo has of the data, which it is made to open when it has not or failed to.</summary>
    public SiloDataSet Open(LiveSilo silo)
    {
        if (_known.TryGetValue(silo.Address, out var known) && (known.Summary is not null || known.IsRefused || !known.Opening.IsCompleted)) return known;
        var data = _known[silo.Address] = new SiloDataSet(silo.Name, new SlowPart(time));
        data.Opening = OpenAsync(silo, data);
        return data;
    }

    /// <summary>Says which silos have been at it for long.</summary>
    public void TellSlow()
    {
        foreach (var data in _known.Values.Where(data => !data.Opening.IsCompleted && data.Slow.IsToBeTold())) journal.Note($"{data.Silo} has been opening the data for {data.Slow.Seconds:F0} s");
    }

    private static async Task<DataSummary> FirstAsync(List<SiloDataSet> opening)
    {
        while (opening.Count > 0)
        {
            await Task.WhenAny(opening.Select(data => data.Opening));
            if (opening.FirstOrDefault(data => data.Summary is not null)?.Summary is { } summary) return summary;
            opening.RemoveAll(data => data.Opening.IsCompleted);
        }

        throw new StaleMessageException("No silo has the run's data.");
    }

    private async Task OpenAsync(LiveSilo silo, SiloDataSet data)
    {
        try
        {
            var summary = await grains.GetGrain<ISiloGrain>($"@{silo.Name}").OpenDataAsync(context.Spec, context.SequenceLimit);
            if (_hash.Length > 0 && summary.Hash != _hash) Refuse(silo, data, $"it sees data of hash {summary.Hash}, the run began with {_hash}");
            else data.Summary = summary;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Asked again at the next boundary, if it lives.
        }
        catch (RunInputException exception) when (_hash.Length > 0)
        {
            Refuse(silo, data, exception.Message);
        }
    }

    private void Refuse(LiveSilo silo, SiloDataSet data, string reason)
    {
        data.IsRefused = true;
        journal.Warn($"{silo.Name} cannot take part: {reason}");
    }
}
