using Xunit.Sdk;
using Xunit.v3;

// Tests watch the count of live tensors and how long calls take: each has the process to itself.
[assembly: Parallelization(Mode = ParallelMode.None)]
