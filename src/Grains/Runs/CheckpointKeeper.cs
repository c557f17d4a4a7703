using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The checkpoint grain as its driver sees it: when it is lost with its silo, it is opened again, elsewhere, and asked again.
/// Everything it is asked may be asked twice.
/// </summary>
internal sealed class CheckpointKeeper(IGrainFactory grains, string runId, string instance, RunSubmission submission, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly ICheckpointGrain _grain = grains.GetGrain<ICheckpointGrain>(runId);
    private DataSummary? _data;
    private Fence _opened;
    private StepRecord? _last;

    /// <summary>Takes the output folder for a generation.</summary>
    public async Task<CheckpointInventory> OpenAsync(Fence fence, DataSummary data)
    {
        (_data, _opened, _last) = (data, fence, null);
        return await PatientlyAsync(grain => grain.OpenAsync(fence, instance, submission, data));
    }

    /// <summary>Cuts metrics and ledger back to the step that the run goes on from.</summary>
    public Task CutAsync(Fence fence, StepRecord? last) => PatientlyAsync(async grain =>
    {
        await grain.CutAsync(fence, last);
        (_opened, _last) = (fence, last);
        return true;
    });

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => PatientlyAsync(async grain =>
    {
        await grain.RestoreAsync(fence, partitions);
        return true;
    });

    public Task RecordAsync(Fence fence, StepRecord record) => PatientlyAsync(async grain =>
    {
        await grain.RecordStepAsync(fence, record);
        (_opened, _last) = (fence, record);
        return true;
    });

    public Task RecordAsync(Fence fence, MetricLine validation) => PatientlyAsync(async grain =>
    {
        await grain.RecordValidationAsync(fence, validation);
        return true;
    });

    public Task<CheckpointInventory> SaveAsync(CheckpointRequest request) => PatientlyAsync(grain => grain.SaveAsync(request));

    public Task<ExportReport> ExportAsync(Fence fence) => PatientlyAsync(grain => grain.ExportAsync(fence));

    /// <summary>Lets go of the output folder, where it is still held.</summary>
    public async Task CloseAsync(Fence fence)
    {
        try
        {
            await _grain.CloseAsync(fence);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Its silo's end has let go of it.
        }
    }

    private async Task<T> PatientlyAsync<T>(Func<ICheckpointGrain, Task<T>> ask)
    {
        long? firstLoss = null;
        while (true)
        {
            try
            {
                if (firstLoss is not null && _data is { } data)
                {
                    await _grain.OpenAsync(_opened, instance, submission, data);
                    if (_opened.Step != long.MaxValue) await _grain.CutAsync(_opened, _last);
                }

                return await ask(_grain);
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception) && (firstLoss is null || time.GetElapsedTime(firstLoss.Value) < Patience))
            {
                firstLoss ??= time.GetTimestamp();
                await Task.Delay(Pause, time);
            }
        }
    }
}
