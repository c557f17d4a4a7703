namespace GenSlmOrleans.Abstractions;

/// <summary>What whoever borrows values may do with them beside reading them.</summary>
[Flags]
public enum LoanRights
{
    /// <summary>Nothing: what is to wait is copied, and the values stay as they are.</summary>
    None = 0,

    /// <summary>Hold them while they wait for others: their owner does not need them for its next work.</summary>
    Keep = 1,

    /// <summary>Leave zeros behind when they have been read for the last time: nobody else reads them.</summary>
    Clear = 2,
}
