using Microsoft.Extensions.Hosting;

namespace GenSlmOrleans.Client.Local;

/// <summary>A host that starts and stops when the command says so: what signals mean is the command's to say.</summary>
internal sealed class CommandLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
