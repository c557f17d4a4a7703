using Xunit.Sdk;
using Xunit.v3;

// The console's standard error is the process's.
[assembly: Parallelization(Mode = ParallelMode.None)]
