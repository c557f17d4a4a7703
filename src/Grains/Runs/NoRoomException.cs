namespace GenSlmOrleans.Grains.Runs;

/// <summary>A silo that was to hold a partition has no memory for it by now.</summary>
internal sealed class NoRoomException(string message) : Exception(message);
