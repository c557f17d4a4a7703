namespace GenSlmOrleans.Abstractions;

/// <summary>Something the user can mend: one sentence that names it. Becomes exit code 2 at the console.</summary>
[GenerateSerializer, Alias("genslm.RunInputException")]
public class RunInputException(string message) : Exception(message);

/// <summary>There is no room on the disk of an output folder: what was to be written can be asked for again when there is.</summary>
[GenerateSerializer, Alias("genslm.DiskFullException")]
public sealed class DiskFullException(string message) : RunInputException(message);

/// <summary>A message for another step than the receiver is at, or for what it does not hold: refused, nothing was changed.</summary>
[GenerateSerializer, Alias("genslm.StaleMessageException")]
public sealed class StaleMessageException(string message) : Exception(message);

/// <summary>The receiver has no memory for what was sent now; it can be sent again when it has: nothing was changed.</summary>
[GenerateSerializer, Alias("genslm.HolderFullException")]
public sealed class HolderFullException(string message) : Exception(message);

/// <summary>The run cannot go on, and it is not the user's doing.</summary>
[GenerateSerializer, Alias("genslm.RunFailedException")]
public sealed class RunFailedException(string message) : Exception(message);

/// <summary>The sender is no longer the run's driver: a later generation has taken over. Nothing was changed.</summary>
[GenerateSerializer, Alias("genslm.SupersededException")]
public sealed class SupersededException(string message) : Exception(message);

/// <summary>No holder of a partition could be reached.</summary>
[GenerateSerializer, Alias("genslm.PartitionUnreachableException")]
public sealed class PartitionUnreachableException(string message) : Exception(message);

/// <summary>A device does not give the same bits twice: it is not used.</summary>
[GenerateSerializer, Alias("genslm.DeviceUnsoundException")]
public sealed class DeviceUnsoundException(string message) : Exception(message);

/// <summary>No device that a silo has for a run has made progress for long: what they were at has to be done elsewhere.</summary>
[GenerateSerializer, Alias("genslm.DevicesStuckException")]
public sealed class DevicesStuckException(string message) : Exception(message);
