using GenSlmOrleans.Formats;
using GenSlmOrleans.Plot;

if (args.Length != 2)
{
    await Console.Error.WriteLineAsync("Expected two arguments: the table of a run's speed (.csv) and the picture to make of it (.png).");
    return 2;
}

try
{
    var picture = SpeedChart.Draw(SpeedTable.Read(args[0]));
    AtomicFile.Write(args[1], stream => stream.Write(picture));
    return 0;
}
catch (Exception exception) when (exception is TableException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}
