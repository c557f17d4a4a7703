using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What is worth saying about a run's data before it begins.</summary>
internal static class DataRemarks
{
    public static void Say(RunJournal journal, DataSummary data, RunPlan plan)
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
}
