namespace GenSlmOrleans.Abstractions;

/// <summary>Something the user can mend: one sentence that names it. Becomes exit code 2 at the console.</summary>
[GenerateSerializer, Alias("genslm.RunInputException")]
public sealed class RunInputException(string message) : Exception(message);

/// <summary>A message for another step than the receiver is at, or for what it does not hold: refused, nothing was changed.</summary>
[GenerateSerializer, Alias("genslm.StaleMessageException")]
public sealed class StaleMessageException(string message) : Exception(message);

/// <summary>The run cannot go on, and it is not the user's doing.</summary>
[GenerateSerializer, Alias("genslm.RunFailedException")]
public sealed class RunFailedException(string message) : Exception(message);

/// <summary>The sender is no longer the run's driver: a later generation has taken over. Nothing was changed.</summary>
[GenerateSerializer, Alias("genslm.SupersededException")]
public sealed class SupersededException(string message) : Exception(message);

/// <summary>No holder of a partition could be reached.</summary>
[GenerateSerializer, Alias("genslm.PartitionUnreachableException")]
public sealed class PartitionUnreachableException(string message) : Exception(message);
