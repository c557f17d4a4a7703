using GenSlmOrleans.Client;
using GenSlmOrleans.Client.Commands;

return await ConsoleApplication.RunAsync(args, AllCommands.Create());
