using System.Diagnostics;
using GenSlmOrleans.Client.Chaos;

namespace GenSlmOrleans.Client.Tests;

/// <summary>The network of a campaign's silos, of which parts are taken away.</summary>
public sealed class SiloNetworkTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task It_is_made_again_while_something_holds_on_to_the_one_before()
    {
        var obstacle = await SiloNetwork.ObstacleAsync();
        Assert.SkipWhen(obstacle is not null, obstacle ?? "");
        Process? holder = null;
        try
        {
            await using (var network = await SiloNetwork.OpenAsync(places: 1))
            {
                string[] command = [.. network.Prefix(0), "sleep", "600"];
                holder = Process.Start(command[0], command[1..]);
                await EnteredAsync(holder);
            }

            await using var again = await SiloNetwork.OpenAsync(places: 1);
            Assert.False(holder.HasExited);
        }
        finally
        {
            holder?.Kill();
            holder?.Dispose();
        }
    }

    private static async Task EnteredAsync(Process process)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        long began = Stopwatch.GetTimestamp();
        while (NamespaceOf(process.Id) == NamespaceOf(Environment.ProcessId))
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, $"the process is not in the network's namespace after {Deadline.TotalSeconds} s");
            await pace.WaitForNextTickAsync();
        }
    }

    private static string? NamespaceOf(int process) => new FileInfo($"/proc/{process}/ns/net").LinkTarget;
}
