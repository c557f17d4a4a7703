using Xunit.Sdk;
using Xunit.v3;

// The count of live tensors is the process's: tests that watch it must have the process to themselves.
[assembly: Parallelization(Mode = ParallelMode.None)]
