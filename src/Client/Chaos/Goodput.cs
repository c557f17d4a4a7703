namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// What the device seconds of a run went into, as shares of them all. A cluster of n silos has n device seconds a second,
/// whether or not its silos are alive: what a death costs is part of the account.
/// </summary>
/// <param name="DeviceSeconds">All.</param>
/// <param name="Useful">Computing micro-batches that were needed.</param>
/// <param name="Repeated">Computing micro-batches once more: those of a dead silo, of steps that were replayed.</param>
/// <param name="Lost">Silos that were dead, stopped, or not up yet.</param>
/// <param name="Stalled">Silos that were there and waited: from a strike to the next applied step, beyond what a step takes.</param>
/// <param name="Other">The rest: transfer, reduction, validation, checkpoints, idle devices, and threads that shared cores.</param>
internal sealed record Goodput(double DeviceSeconds, double Useful, double Repeated, double Lost, double Stalled, double Other)
{
    /// <summary>The account of one run.</summary>
    /// <param name="silos">How many silos there are meant to be.</param>
    /// <param name="seconds">From its submission to its end.</param>
    /// <param name="spent">What devices did, as far as their silos could still say.</param>
    /// <param name="absentSeconds">Of silos that should have been there.</param>
    /// <param name="undisturbed">The run that tells what is needed; null: this one.</param>
    /// <param name="recoveries">From the faults.</param>
    public static Goodput Of(int silos, double seconds, DeviceTime.Spent spent, double absentSeconds, ChaosOutcome? undisturbed, IEnumerable<Recovery> recoveries)
    {
        double total = silos * seconds;
        double needed = undisturbed?.MicroBatches ?? spent.MicroBatches;
        if (total <= 0 || spent.MicroBatches <= 0) return new Goodput(total, 0, 0, 0, 0, 1);

        double perMicroBatch = spent.Computing / spent.MicroBatches;
        double stepSeconds = undisturbed is { Status: { TotalSteps: > 0 } status } ? status.Seconds / status.TotalSteps : 0;
        double rest = total;
        double Take(double wanted)
        {
            double taken = Math.Clamp(wanted, 0, rest);
            rest -= taken;
            return taken / total;
        }

        double useful = Take(needed * perMicroBatch);
        // What a dead silo had computed since it was last asked is not known.
        double repeated = Take((spent.MicroBatches - needed) * perMicroBatch);
        double lost = Take(absentSeconds);
        double stalled = Take((silos - 1) * recoveries.Sum(recovery => Math.Max(0, (recovery.Applied ?? 0) - stepSeconds)));
        return new Goodput(total, useful, repeated, lost, stalled, rest / total);
    }

    /// <summary>The account of several runs together.</summary>
    public static Goodput Sum(IReadOnlyCollection<Goodput> runs)
    {
        double total = runs.Sum(run => run.DeviceSeconds);
        double Share(Func<Goodput, double> part) => total > 0 ? runs.Sum(run => part(run) * run.DeviceSeconds) / total : 0;
        return new Goodput(total, Share(run => run.Useful), Share(run => run.Repeated), Share(run => run.Lost), Share(run => run.Stalled), Share(run => run.Other));
    }
}
