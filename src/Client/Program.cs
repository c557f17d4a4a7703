using GenSlmOrleans.Client;
using GenSlmOrleans.Client.Commands;

return await ConsoleApplication.RunAsync(args, [TrainCommand.Create(), ResumeCommand.Create(), DataCommand.Create()]);
