using System.Globalization;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>How often, and on how much, a run validates; after the batches and the shards, which it counts in.</summary>
internal static class ValidationImport
{
    public static void Carry(GenSlmConfig config, RunFileDraft draft)
    {
        CarryInterval(config, draft);
        CarryLimit(config, draft);
    }

    private static void CarryInterval(GenSlmConfig config, RunFileDraft draft)
    {
        const string Interval = "val_check_interval", Epochs = "check_val_every_n_epoch";
        int epochs = config.Whole(Epochs, 1, 1);
        if (config.Text(Interval) is not { } text)
        {
            draft.Carry(Epochs, "valEvery", $"{epochs}epoch");
            return;
        }

        if (text.Contains('.') && config.Number(Interval, 1) is var part && part != Math.Floor(part))
        {
            draft.Carry(Interval, "valEvery", $"{epochs}epoch", "a part of an epoch cannot be given; give a number of optimizer steps");
            return;
        }

        long batches = config.Whole(Interval, 1L, 1), window = draft.Settings.Spec.AccumulationSteps;
        draft.Carry(
            Interval, "valEvery", Math.Max(1, (batches + (window / 2)) / window).ToString(CultureInfo.InvariantCulture),
            "Lightning counts batches, anew in each epoch; here it is optimizer steps, of accumulationSteps batches, from the start of the run");
        if (config.Find(Epochs) is not null)
            draft.Note(epochs == 1 ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, Epochs, "val_check_interval says how often the run validates, in every epoch");
    }

    private static void CarryLimit(GenSlmConfig config, RunFileDraft draft)
    {
        const string Limit = "limit_val_batches";
        if (!config.Has(Limit)) return;
        long batches = config.Whole(Limit, 0, 0);
        if (batches == 0)
        {
            draft.Carry(Limit, "valFraction", "0", "GenSLM does not validate then; here nothing is set aside, and the weights of the last step are exported");
            return;
        }

        draft.Carry(
            Limit, "limitValBatches", Math.Min(int.MaxValue, batches * draft.Settings.Spec.Shards).ToString(CultureInfo.InvariantCulture),
            "it counts the batches of each GPU there, of all shards here; and these are always the same batches, where GenSLM draws others every time");
    }
}
