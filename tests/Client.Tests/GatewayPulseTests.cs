using System.Net;
using System.Reflection;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime.Messaging;

namespace GenSlmOrleans.Client.Tests;

/// <summary>The question that a console asks its gateway each second.</summary>
public sealed class GatewayPulseTests
{
    [Fact]
    public async Task A_connection_that_fails_while_it_is_being_closed_ends_nothing()
    {
        var pulse = new LosingPulse();
        var asked = new GatewayPulse(Factory.Of(pulse), new GatewayList(() => Array.Empty<IPEndPoint>()));
        await pulse.Asked.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var closing = asked.DisposeAsync();
        pulse.Closing.Set();
        await closing;
    }

    private sealed class LosingPulse : IPulseGrain
    {
        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim Closing { get; } = new();

        public Task BeatAsync()
        {
            Asked.TrySetResult();
            // The call must fail in the very moment in which the connection is being closed.
            Closing.Wait();
            throw new ConnectionFailedException("Unable to connect to S127.0.0.1:1:0");
        }
    }

    public class Factory : DispatchProxy
    {
        private object? _grain;

        public static IGrainFactory Of(object grain)
        {
            var factory = Create<IGrainFactory, Factory>();
            ((Factory)(object)factory)._grain = grain;
            return factory;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _grain;
    }
}
