using System.CommandLine;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary><c>genslm silos</c>: lists the silos of a cluster.</summary>
internal static class SilosCommand
{
    public static Command Create()
    {
        var command = new Command("silos", """
            Example: genslm silos -o json

            Lists the silos of a cluster: name, state (joining, active, draining, silent, dead), address and devices.
            """);
        var output = OutputOption.Create();
        var gateway = GatewayOption.Create();
        var verbose = new Option<bool>("--verbose") { Arity = ArgumentArity.Zero, Description = "show stack traces" };
        foreach (var option in (Option[])[output, gateway, verbose]) command.Options.Add(option);
        command.SetAction(async (parsed, cancellation) =>
        {
            bool json = OutputOption.Read(parsed, output) == OutputOption.Json;
            await using var connection = await GatewayOption.ConnectAsync(parsed.GetValue(gateway), cancellation);
            var silos = await connection.CallAsync(SiloList.ReadAsync, cancellation);
            await Console.Out.WriteAsync(json ? Listing.Json(silos) : Listing.Table(
                ["NAME", "STATE", "ADDRESS", "DEVICES"],
                silos.Select(silo => (string[])[silo.Name, Listing.Word(silo.State), silo.Address, silo.Devices.IsEmpty ? "-" : string.Join(',', silo.Devices)])));
            return ExitCode.Done;
        });
        return command;
    }
}
