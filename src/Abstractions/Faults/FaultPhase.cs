namespace GenSlmOrleans.Abstractions;

/// <summary>
/// A place in an optimizer step at which a fault can be made to strike: silos that are told so (GENSLM_FAULT_POINTS) stop
/// there for a moment, 'genslm chaos' strikes.
/// </summary>
public enum FaultPhase
{
    /// <summary>No place in particular: wherever the step stands.</summary>
    Any,

    /// <summary>A replica has fetched a block and not taken it over yet.</summary>
    Fetch,

    /// <summary>A device is about to compute a shard of its window.</summary>
    Accumulate,

    /// <summary>A device's thread is about to compute a micro-batch, and stops there with whatever it holds.</summary>
    Kernel,

    /// <summary>A device's thread is in the last backward of a sum, some of which is final and may be on its way, and stops there.</summary>
    Backward,

    /// <summary>A sum of gradients is complete and has gone nowhere yet.</summary>
    BeforePush,

    /// <summary>A block of a sum is about to go to one holder, and has no checksum yet.</summary>
    Send,

    /// <summary>One holder of a partition has the sum, the others have not.</summary>
    Push,

    /// <summary>All is reduced, nothing applied.</summary>
    BeforeApply,

    /// <summary>Adam has changed the values of a block, which does not count them yet.</summary>
    Apply,

    /// <summary>The step is applied, and neither in the metrics nor in the ledger.</summary>
    Record,

    /// <summary>A device is about to compute validation batches.</summary>
    Validate,

    /// <summary>A piece of a file of the output folder is about to be written.</summary>
    Write,

    /// <summary>One of a checkpoint's files is written, others are not.</summary>
    Checkpoint,

    /// <summary>A checkpoint is written and decided upon, and has not got its name.</summary>
    Commit,

    /// <summary>A block of a checkpoint, or of a file of weights, is in the partitions again, others are not.</summary>
    Restore,

    /// <summary>A copy that is being filled has fetched a block and does not count it yet.</summary>
    Fill,
}
