using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What the runs of a campaign are told: the same each, or drawn for each, in the size that suits the model.</summary>
internal sealed class CampaignSpecs
{
    private readonly ChaosSettings _settings;
    private readonly RunSize _size;
    private readonly DrawnFiles _files;
    private readonly int _epochs;

    private CampaignSpecs(ChaosSettings settings, RunSize size, DrawnFiles files) =>
        (_settings, _size, _files, _epochs) = (settings, size, files, settings.Epochs ?? size.Epochs);

    /// <summary>Prepares them.</summary>
    /// <param name="settings">Model, data and seed.</param>
    /// <param name="folder">Where the files go that settings name.</param>
    /// <exception cref="UsageException">Model or data are not as they should be.</exception>
    public static CampaignSpecs Open(ChaosSettings settings, string folder)
    {
        var model = SubmissionCheck.Model(settings.Model);
        var size = RunSize.Of(GptNeoXStateDict.ParameterCount(model));
        return new CampaignSpecs(settings, size, DrawnFiles.Write(Path.Combine(folder, "inputs"), settings.Data, size, model));
    }

    /// <summary>What run <paramref name="run"/> is told, but for its output.</summary>
    public RunSpec Of(int run) => _settings.Settings == SettingsChoice.Drawn
        ? SettingsDraw.Create(new RunSpec { Model = _settings.Model, Threads = 1 }, _settings.Seed, run, _epochs, _size, _files)
        : _size.IsLarge ? Fixed() with { Data = _files.Data, Shards = 3, BatchSize = 1, AccumulationSteps = 2, SeqLength = 16, LimitValBatches = _size.ValidationBatches } : Fixed();

    /// <summary>
    /// Small steps, a few epochs, a validation and a checkpoint every few steps, more shards than silos, and a schedule and a
    /// moment that remember.
    /// </summary>
    private RunSpec Fixed() => new()
    {
        Data = _settings.Data,
        Model = _settings.Model,
        Shards = 6,
        BatchSize = 2,
        AccumulationSteps = 4,
        SeqLength = 128,
        LearningRate = 3e-3,
        GradientClip = 1,
        Schedule = LearningRateScheduleKind.Cosine,
        WarmupSteps = 4,
        Epochs = _epochs,
        ValEvery = "3",
        LimitValBatches = 6,
        Threads = 1,
    };

    /// <summary>The submission of a run.</summary>
    /// <exception cref="UsageException">Data or model are not as they should be.</exception>
    public static RunSubmission Submission(RunSpec spec, string output) => SubmissionCheck.Resolve(new TrainSettings { Spec = spec with { Output = output } });
}
