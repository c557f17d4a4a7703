namespace GenSlmOrleans.Abstractions;

/// <summary>
/// A call was meant for a silo by name that the cluster does not have now. Not an <c>OrleansException</c>, which placement would retry
/// for seconds before the caller hears of it: whoever names a silo has another to ask.
/// </summary>
[GenerateSerializer, Alias("genslm.NotAMemberException")]
public sealed class NotAMemberException(string message) : Exception(message);
