using GenSlmOrleans.Client;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Commands.Weights;

return await ConsoleApplication.RunAsync(args, [TrainCommand.Create(), ResumeCommand.Create(), WeightsCommand.Create()]);
