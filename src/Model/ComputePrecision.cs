namespace GenSlmOrleans.Model;

/// <summary>What forward and backward compute in. Gradients accumulate in fp32 and the master weights are fp32 either way.</summary>
public enum ComputePrecision
{
    Fp32,
    Bf16,
}

/// <summary>Whether padding counts in the loss.</summary>
public enum PadTokens
{
    /// <summary>Padding is neither predicted nor counted.</summary>
    Ignore,

    /// <summary>As GenSLM's own forward: labels are the input ids, padding included; padded keys are masked for every query.</summary>
    Count,
}
