using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Processes;
using GenSlmOrleans.Silo.Hosting;

SiloSettings settings;
try
{
    settings = SiloSettings.Read(args);
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

PoolThreads.Provide();
var cores = settings.StartsAside ? StartingCores.Take() : null;
bool isNice = settings.StartsAside && StartingNiceness.Take();
_ = CompilerThread.GiveWayAsync();
var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
builder.AddLogs();
builder.AddDrain(settings);
builder.AddCluster(settings);
builder.AddCompute(settings);
builder.AddTelemetry();
builder.AddHealth(settings);
builder.AddReadiness();

var app = builder.Build();
SiloDevices devices;
try
{
    // Now, not at the first request: a silo without its devices must not come up.
    devices = app.Services.GetRequiredService<SiloDevices>();
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}
catch (PlatformNotSupportedException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 1;
}
catch (Exception exception) when (exception is DllNotFoundException or TypeInitializationException)
{
    await Console.Error.WriteLineAsync($"The native libraries do not load: {exception.Message}");
    return 1;
}

var log = app.Services.GetRequiredService<ILogger<SiloSettings>>();
log.Starting(settings.Name, settings.Address.ToString(), settings.SiloPort, settings.Deadlines);
if (devices.All.Count == 0) log.NoDevices();
if (devices.Unclaimed is { } objection) log.DevicesUnclaimed(objection);
app.MapTelemetry();
app.MapHealth();
if (cores is not null) app.Lifetime.ApplicationStarted.Register(cores.Leave);
if (isNice) app.Lifetime.ApplicationStarted.Register(StartingNiceness.Leave);
var (started, drain) = (app.Lifetime.ApplicationStarted, app.Services.GetRequiredService<SiloDrain>());
try
{
    if (settings.Redis is { } redis) await RedisConnection.AwaitAsync(redis, settings.Deadlines);
    await app.RunAsync();
    return Left();
}
catch (Exception) when (drain.IsDraining)
{
    // Told to leave, it leaves, whether or not all of it stopped in time; what that was is in the log.
    return Left();
}
catch (Exception exception) when (!started.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync($"The silo did not start: {(exception as TimeoutException ?? exception.GetBaseException()).Message}");
    return 1;
}

int Left() => devices.IsPoisoned ? SiloExitCode.DevicePoisoned : 0;
