using Xunit.Sdk;
using Xunit.v3;

// Each test starts processes that want the machine's cores.
[assembly: Parallelization(Mode = ParallelMode.None)]
