namespace GenSlmOrleans.Model.Tests;

/// <summary>The mode belongs to the process: one test changes it, and puts it back.</summary>
public sealed class DeterministicModeTests
{
    [Fact]
    public void The_mode_reads_back_as_on_and_a_GPU_is_not_used_without_it()
    {
        var before = DeterministicMode.Read();
        try
        {
            DeterministicMode.Enter();
            Assert.Null(DeterministicMode.Objection());
            ReplicaProof.RequireMode(isGpu: true, "silo-0 cuda:0");

            DeterministicMode.Leave();
            if (TestDevice.Name == "cpu") Assert.Equal(before, DeterministicMode.Read());
            var objection = DeterministicMode.Objection();
            foreach (var flag in (string[])["deterministic algorithms", "deterministic cuDNN", "cuDNN's attention", "filling of new memory"])
                Assert.Contains(flag, objection);
            var refused = Assert.Throws<UnequalBitsException>(() => ReplicaProof.RequireMode(isGpu: true, "silo-0 cuda:0"));
            Assert.StartsWith("silo-0 cuda:0 need not give the same bits twice: libtorch's deterministic mode is off", refused.Message);
            ReplicaProof.RequireMode(isGpu: false, "silo-0 cpu");
        }
        finally
        {
            if (TestDevice.Name == "cpu") DeterministicMode.Leave();
            else DeterministicMode.Enter();
        }
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData(":4096:8", null)]
    [InlineData(":16:8", null)]
    [InlineData(":0:0", "CUBLAS_WORKSPACE_CONFIG is ':0:0'; it must be :4096:8 or :16:8")]
    public void A_workspace_with_which_cuBLAS_is_not_deterministic_is_refused(string? value, string? expected)
    {
        var objection = DeterministicMode.ObjectionToWorkspace(value);
        if (expected is null) Assert.Null(objection);
        else Assert.StartsWith(expected, objection);
    }
}
