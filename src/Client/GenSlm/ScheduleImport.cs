using System.Globalization;
using GenSlmOrleans.Client.Options;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>GenSLM's three sections for the learning rate; the first that is there is taken, as in its configure_optimizers.</summary>
internal static class ScheduleImport
{
    private const string Warmup = "warm_up_lr";
    private const string Plateau = "lr_plateau";
    private const string Cosine = "lr_cosine_with_warmup";

    // What our plateau does (LearningRateSchedule in src/Training); numbers as GenSLM's defaults have them.
    private static readonly Dictionary<string, double> PlateauNumbers = new(StringComparer.Ordinal) { ["factor"] = 0.1, ["patience"] = 10, ["threshold"] = 1e-4, ["eps"] = 1e-8 };

    public static void Carry(GenSlmConfig config, RunFileDraft draft)
    {
        string[] given = [.. ((string[])[Warmup, Plateau, Cosine]).Where(config.Has)];
        if (given.Length == 0) return;
        var section = config.Section(given[0])!;
        if (given[0] == Warmup) CarryWarmup(section, draft);
        else if (given[0] == Plateau) CarryPlateau(section, draft);
        else CarryCosine(config, section, draft);
        foreach (var other in given[1..]) draft.Note(ImportOutcome.LeftOut, other, $"GenSLM takes {given[0]} when both are there, and so does the run file");
    }

    private static void CarryWarmup(GenSlmConfig section, RunFileDraft draft)
    {
        draft.Carry(Warmup, "schedule", "linear");
        draft.Carry(
            Warmup, "warmupSteps", section.Whole("num_steps", 50_000L, 0).ToString(CultureInfo.InvariantCulture),
            "DeepSpeed's WarmupLR rises with the logarithm of the step, from min_lr; here the rate rises along a line, from 0");
        LeaveOut(section, draft, Warmup, "num_steps", ("min_lr", "the rate rises from 0"));
    }

    private static void CarryPlateau(GenSlmConfig section, RunFileDraft draft)
    {
        draft.Carry(Plateau, "schedule", "plateau", "the rate is looked at after each validation, patience 10; GenSLM looks every val_check_interval optimizer steps");
        foreach (var entry in section.Entries.Where(entry => PlateauNumbers.ContainsKey(entry.Key)))
        {
            double ours = PlateauNumbers[entry.Key];
            bool same = section.Number(entry.Key, ours).Equals(ours);
            draft.Note(same ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, Plateau, entry, $"it is always {ours.ToString(CultureInfo.InvariantCulture)}");
        }

        if (section.Find("mode") is { } mode)
            draft.Note(section.Text("mode") == "min" ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, Plateau, mode, "the rate falls when the validation loss has stopped falling");
        LeaveOut(section, draft, Plateau, "mode", [.. PlateauNumbers.Keys.Select(key => (key, ""))]);
    }

    private static void CarryCosine(GenSlmConfig config, GenSlmConfig section, RunFileDraft draft)
    {
        draft.Carry(Cosine, "schedule", "cosine", draft.Settings.Spec.MaxSteps > 0
            ? "the rate reaches 0 at the run's last step, which is before max_steps when the epochs are done earlier"
            : "GenSLM refuses to train so without max_steps; here the rate reaches 0 at the last step of the last epoch");
        draft.Carry(Cosine, "warmupSteps", section.Whole("num_warmup_steps", 150L, 0).ToString(CultureInfo.InvariantCulture));
        if (section.Find("num_cycles") is { } cycles)
            draft.Note(section.Number("num_cycles", 0.5).Equals(0.5) ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, Cosine, cycles, "the cosine is always half a cycle, from the learning rate to 0");
        LeaveOut(section, draft, Cosine, "num_warmup_steps", ("num_cycles", ""));
    }

    // Of the keys that are left: those with a reason of their own, and those that GenSLM has not.
    private static void LeaveOut(GenSlmConfig section, RunFileDraft draft, string name, string carried, params (string Key, string Reason)[] known)
    {
        foreach (var entry in section.Entries.Where(entry => entry.Key != carried))
        {
            var reason = known.Where(key => key.Key == entry.Key).Select(key => key.Reason).FirstOrDefault();
            if (reason is null) draft.Note(ImportOutcome.LeftOut, name, entry, $"GenSLM's {name} has no such key; did you mean '{NearestName.Of(entry.Key, [carried, .. known.Select(key => key.Key)])}'?");
            else if (reason.Length > 0) draft.Note(ImportOutcome.LeftOut, name, entry, reason);
        }
    }
}
