using System.CommandLine;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm silo drain NAME</c>: makes a silo hand over what it holds and leave.</summary>
internal static class DrainCommand
{
    public static Command Create()
    {
        var command = new Command("drain", """
            Example: genslm silo drain silo-2

            Makes a silo hand over what it holds, whatever a step is at, and leave. No step is repeated for it.
            """);
        var name = new Argument<string>("NAME") { Description = "the silo's name, as 'genslm silos' lists it" };
        var gateway = GatewayOption.Create();
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        command.Arguments.Add(name);
        foreach (var option in (Option[])[gateway, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var connection = await GatewayOption.ConnectAsync(parsed.GetValue(gateway), cancellation);
            return await DrainAsync(connection, parsed.GetValue(name)!, cancellation);
        });
        return command;
    }

    private static async Task<int> DrainAsync(ClusterConnection connection, string name, CancellationToken cancellation)
    {
        var silos = await connection.CallAsync(SiloList.ReadAsync, cancellation);
        var live = silos.Where(silo => silo.State is SiloState.Active or SiloState.Draining).Select(silo => silo.Name).ToArray();
        if (!live.Contains(name, StringComparer.Ordinal))
            throw new UsageException($"The cluster has no live silo '{name}'; did you mean {NearestName.Of(name, live)}? Its silos are {string.Join(", ", live)}.");
        await connection.CallAsync(
            async grains =>
            {
                await grains.GetGrain<ISiloGrain>($"@{name}").DrainAsync();
                return name;
            },
            cancellation);
        await Console.Error.WriteLineAsync($"{name} hands over and leaves; 'genslm silos' shows when it is gone");
        return ExitCode.Done;
    }
}
