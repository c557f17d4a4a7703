namespace GenSlmOrleans.Client.Chaos;

/// <summary>When the place of a silo that has ended is taken by another.</summary>
internal enum Replacement
{
    /// <summary>At once in the runs with odd numbers, after the next step in those with even ones.</summary>
    Alternating,

    /// <summary>As where a supervisor starts it again on the same machine: it comes up while the run recovers, on the same cores.</summary>
    AtOnce,

    /// <summary>As from another node: those that are left go on alone first.</summary>
    AfterStep,
}
