using GenSlmOrleans.Client;
using GenSlmOrleans.Client.Commands;

return await ConsoleApplication.RunAsync(args,
[
    TrainCommand.Create(),
    ResumeCommand.Create(),
    VerifyCommand.Create(),
    UpCommand.Create(),
    DownCommand.Create(),
    SiloCommand.Create(),
    SilosCommand.Create(),
    ChaosCommand.Create(),
]);
