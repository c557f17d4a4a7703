using System.Diagnostics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Model;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A GPU is offered by one silo of a machine, as real locks on real files have it.</summary>
public sealed class DeviceClaimTests : IDisposable
{
    private static readonly string[] FourGpus = ["cuda:0", "cuda:1", "cuda:2", "cuda:3"];

    private readonly TemporaryFolder _folder = new();
    private readonly List<DeviceClaims> _silos = [];

    public void Dispose()
    {
        foreach (var silo in _silos) silo.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Silos_of_a_machine_share_its_GPUs_and_each_is_offered_once()
    {
        Assert.Equal([["cuda:0", "cuda:1"], ["cuda:2", "cuda:3"], []], Offers(silosHere: 3, FourGpus, silos: 3));
        Assert.Equal([["cuda:0"], ["cuda:1"], []], Offers(silosHere: 3, FourGpus[..2], silos: 3));
        Assert.Equal([FourGpus, []], Offers(silosHere: 1, FourGpus, silos: 2));
    }

    [Fact]
    public void The_CPU_is_offered_by_all()
    {
        Assert.Equal([["cpu"], ["cpu"]], Offers(silosHere: 2, ["cpu"], silos: 2));
        Assert.Equal(["cpu"], DeviceChoice.Choose(["cpu"], FourGpus, 1, Silo().TryTake));
    }

    [Fact]
    public void A_GPU_that_is_named_and_taken_is_refused_and_one_that_has_been_given_back_is_not()
    {
        var first = Silo();
        Assert.Equal(["cuda:1"], DeviceChoice.Choose(["cuda:1"], FourGpus, 1, first.TryTake));
        Assert.Equal(
            "--devices names 'cuda:1', which another silo of this machine offers; name a free one, or leave it out to offer one that is free.",
            Assert.Throws<ArgumentException>(() => DeviceChoice.Choose(["cuda:1"], FourGpus, 1, Silo().TryTake)).Message);
        first.Dispose();
        Assert.Equal(["cuda:1"], DeviceChoice.Choose(["cuda:1"], FourGpus, 1, Silo().TryTake));
        Assert.Equal(
            "--devices names 'cuda:9'; expected devices of this machine, which has cuda:0, cuda:1, cuda:2, cuda:3.",
            Assert.Throws<ArgumentException>(() => DeviceChoice.Choose(["cuda:9"], FourGpus, 1, Silo().TryTake)).Message);
    }

    [Fact]
    public async Task What_a_process_has_taken_is_free_when_it_has_been_killed()
    {
        Assert.True(Silo().TryTake("cuda:0"));
        _silos[0].Dispose();
        using var other = Process.Start(new ProcessStartInfo("bash", ["-c", "exec 9<\"$0\"; flock -n 9; echo taken; exec sleep 600", Path.Combine(_folder.Path, "cuda_0")]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("taken", await other.StandardOutput.ReadLineAsync());
            Assert.False(Silo().TryTake("cuda:0"));
            Assert.True(Silo().TryTake("cuda:1"));
        }
        finally
        {
            other.Kill();
            await other.WaitForExitAsync();
        }

        Assert.True(Silo().TryTake("cuda:0"));
    }

    [Fact]
    public void Where_no_file_can_be_made_devices_are_offered_and_the_reason_is_kept()
    {
        using var claims = new DeviceClaims(Path.Combine(_folder.File("not a folder", "x"u8), "devices"));
        Assert.True(claims.TryTake("cuda:0"));
        Assert.Contains("not a folder", claims.Objection);
    }

    [Theory]
    [InlineData(0, null, "0")]
    [InlineData(1, "GPU-aa,GPU-bb", "GPU-bb")]
    [InlineData(1, "2, 3", "3")]
    [InlineData(2, "2,3", "2")]
    public void Without_a_driver_a_GPU_is_what_the_environment_calls_it(int index, string? visible, string expected) =>
        Assert.Equal(expected, GpuIdentity.ByVisibility(index, visible));

    private DeviceClaims Silo()
    {
        _silos.Add(new DeviceClaims(_folder.Path));
        return _silos[^1];
    }

    // Of silos that start one after the other, each beside those before it.
    private string[][] Offers(int silosHere, string[] here, int silos)
    {
        foreach (var silo in _silos) silo.Dispose();
        return [.. Enumerable.Range(0, silos).Select(_ => DeviceChoice.Choose([], here, silosHere, Silo().TryTake).ToArray())];
    }
}
