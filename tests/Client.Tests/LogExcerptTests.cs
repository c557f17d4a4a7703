using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Tests;

/// <summary>What the console quotes of a silo's log when the silo has ended.</summary>
public sealed class LogExcerptTests
{
    // A silo of two cores that was declared dead though it lived: recorded, with fewer stack frames.
    private const string DeclaredDead = """
        23:55:59.330 info: GenSlmOrleans.Silo.Hosting.SiloSettings[500] Silo silo-0 at 127.0.0.1:26129; deadlines: probe 1 s, heartbeat 1 s, failure-detection 2 s, connect 5 s, stale 4 s, system call 10 s, call 30 s, join 30 s, drain-timeout 60 s, stop 10 s
        23:55:59.831 warn: Orleans.Runtime.Silo[100405] Note: Silo not running with ServerGC turned on - recommend checking app config : <configuration>-<runtime>-<gcServer enabled="true">
        23:55:59.831 warn: Orleans.Runtime.Silo[100405] Note: ServerGC only kicks in on multi-core systems (settings enabling ServerGC have no effect on single-core machines).
        23:56:00.342 warn: Orleans.Runtime.Watchdog[100150] Participant check thread has not completed for 00:14:59.1255164, potentially indicating lock contention or deadlock, CPU starvation, or another execution anomaly.
        23:56:08.309 warn: Orleans.Runtime.MembershipService.MembershipTableManager[100617] I should be Dead according to the membership table (in Refresh). Membership: [Version: 5, MinimumSiloGeneration: 154565769, 0 retained deaths, 2 silos, SiloAddress=S127.0.0.1:26132:154569362 SiloName=silo-1 Status=Active, SiloAddress=S127.0.0.1:26129:154569359 SiloName=silo-0 Status=Dead].
        23:56:08.359 fail: Orleans.Runtime.MembershipService.MembershipTableManager[100627] I have been told I am dead, so this silo will stop! Reason: The membership view classifies this silo as Dead (in Refresh). Membership: [Version: 5, MinimumSiloGeneration: 154565769, 0 retained deaths, 2 silos, SiloAddress=S127.0.0.1:26132:154569362 SiloName=silo-1 Status=Active, SiloAddress=S127.0.0.1:26129:154569359 SiloName=silo-0 Status=Dead].
        23:56:08.360 fail: Orleans.Runtime.FatalErrorHandler[100002] Fatal error from Orleans.Runtime.MembershipService.MembershipTableManager. Context: I have been told I am dead, so this silo will stop! Reason: The membership view classifies this silo as Dead (in Refresh). Membership: [Version: 5, MinimumSiloGeneration: 154565769, 0 retained deaths, 2 silos, SiloAddress=S127.0.0.1:26132:154569362 SiloName=silo-1 Status=Active, SiloAddress=S127.0.0.1:26129:154569359 SiloName=silo-0 Status=Dead].
        23:56:08.369 warn: Polly[3] Execution attempt. Source: 'Orleans.Placement/(null)/Retry', Operation Key: '', Result: 'Silo silo-0 is not a live member of the cluster.', Handled: 'True', Attempt: '0', Execution Time: 2731.4824ms Orleans.Runtime.SiloUnavailableException: Silo silo-0 is not a live member of the cluster.    at GenSlm
        FATAL EXCEPTION from Orleans.Runtime.MembershipService.MembershipTableManager. Context: I have been told I am dead, so this silo will stop! Reason: The membership view classifies this silo as Dead (in Refresh). Membership: [Version: 5, MinimumSiloGeneration: 154565769, 0 retained deaths, 2 silos, SiloAddress=S127.0.0.1:26132:154569362 SiloName=silo-1 Status=Active, SiloAddress=S127.0.0.1:26129:154569359 SiloName=silo-0 Status=Dead].. Exception: null.\nCurrent stack:    at System.Environment.get_StackTrace()
           at Orleans.Runtime.FatalErrorHandler.OnFatalException(Object sender, String context, Exception exception) in /_/src/Orleans.Runtime/Core/FatalErrorHandler.cs:line 32
           at Orleans.Runtime.MembershipService.MembershipTableManager.KillMyselfLocally(String reason) in /_/src/Orleans.Runtime/MembershipService/MembershipTableManager.cs:line 701
        23:56:08.441 warn: Polly[0] Resilience event occurred. EventName: 'OnRetry', Source: 'Orleans.Placement/(null)/Retry', Operation Key: '', Result: 'Silo silo-0 is not a live member of the cluster.' Orleans.Runtime.SiloUnavailableException: Silo silo-0 is not a live member of the cluster.    at GenSlmOrleans.Grains.Placement.Named
        23:56:10.026 warn: Orleans.Runtime.MembershipService.LocalSiloHealthMonitor[86528487] .NET Thread Pool execution stalled for 1.4862169s. This can indicate .NET Thread Pool starvation, very long .NET GC pauses, or other runtime or machine pauses.
        23:56:10.056 warn: Orleans.Runtime.MembershipService.LocalSiloHealthMonitor[1593341370] MembershipStatus health check for  reported: This silo is not active (Status: Dead) and is therefore not healthy.
        23:56:10.056 warn: Orleans.Runtime.MembershipService.LocalSiloHealthMonitor[1593341370] SiloSuspected health check for 127.0.0.1:26132@154569362 reported: Silo S127.0.0.1:26132:154569362 recently suspected this silo is dead at 11/24/2026 23:56:07.
        23:56:10.056 warn: Orleans.Runtime.MembershipService.LocalSiloHealthMonitor[1593341370] SiloSuspected health check for 127.0.0.1:26132@154569362 reported: Silo S127.0.0.1:26132:154569362 recently suspected this silo is dead at 11/24/2026 23:56:07.
        23:56:10.112 warn: Orleans.Runtime.MembershipService.LocalSiloHealthMonitor[1961930485] Self-monitoring determined that local health is degraded. Degradation score is 8/8 (lower is better). Complaints: .NET Thread Pool execution stalled for 1.4862169s. This can indicate .NET Thread Pool starvation, very long .NET GC pauses, or other runtime or machine pauses. This silo is not active (Status: Dead) and is therefore not healthy. Silo S127.0.0.1:26132:154569362 recently suspected this silo is dead at 11/24/2026 23:56:07. Silo S127.0.0.1:26132:154569362 recently suspected this silo is dead at 11/24/2026 23:56:07.
        Process terminated.
        FATAL EXCEPTION from Orleans.Runtime.MembershipService.MembershipTableManager. Context: I have been told I am dead, so this silo will stop! Reason: The membership view classifies this silo as Dead (in Refresh). Membership: [Version: 5, MinimumSiloGeneration: 154565769, 0 retained deaths, 2 silos, SiloAddress=S127.0.0.1:26132:154569362 SiloName=silo-1 Status=Active, SiloAddress=S127.0.0.1:26129:154569359 SiloName=silo-0 Status=Dead].. Exception: null.\nCurrent stack:    at System.Environment.get_StackTrace()
           at Orleans.Runtime.FatalErrorHandler.OnFatalException(Object sender, String context, Exception exception) in /_/src/Orleans.Runtime/Core/FatalErrorHandler.cs:line 32
           at Orleans.Runtime.MembershipService.MembershipTableManager.KillMyselfLocally(String reason) in /_/src/Orleans.Runtime/MembershipService/MembershipTableManager.cs:line 701
        """;

    [Fact]
    public void Of_a_silo_that_was_declared_dead_the_reason_is_quoted_and_neither_frames_nor_what_every_silo_writes()
    {
        var line = Assert.Single(LogExcerpt.Of(DeclaredDead.Split('\n')));
        Assert.StartsWith("FATAL EXCEPTION from Orleans.Runtime.MembershipService.MembershipTableManager. Context: I have been told I am dead", line);
        Assert.InRange(line.Length, 100, 301);
    }

    [Fact]
    public void A_silo_that_was_killed_has_no_last_words() => Assert.Empty(LogExcerpt.Of(DeclaredDead.Split('\n')[..4]));

    [Fact]
    public void What_is_written_past_the_log_and_warnings_of_our_own_are_quoted()
    {
        Assert.Equal(
            [
                "10:00:00.000 warn: GenSlmOrleans.Silo.Hosting.SiloDrain[503] Not all was handed over in time; leaving",
                "libgomp: Thread creation failed: Resource temporarily unavailable",
                "Unhandled exception. System.OutOfMemoryException: Array dimensions exceeded supported range.",
            ],
            LogExcerpt.Of("""
                10:00:00.000 info: GenSlmOrleans.Silo.Hosting.SiloSettings[500] Silo silo-0 at 127.0.0.1:1
                10:00:00.000 warn: GenSlmOrleans.Silo.Hosting.SiloDrain[503] Not all was handed over in time; leaving
                10:00:00.000 warn: Orleans.Runtime.Silo[100405] Note: Silo not running with ServerGC turned on

                libgomp: Thread creation failed: Resource temporarily unavailable
                Unhandled exception. System.OutOfMemoryException: Array dimensions exceeded supported range.
                   at GenSlmOrleans.Model.Replica..ctor()
                --- End of stack trace from previous location ---
                """.Split('\n')));
    }

    [Fact]
    public void Of_many_lines_the_last_are_quoted() =>
        Assert.Equal(["error 15", "error 16", "error 17", "error 18", "error 19"], LogExcerpt.Of(Enumerable.Range(0, 20).Select(i => $"10:00:00.000 fail: Some.Category[1] error {i}")).Select(line => line.Split("] ")[1]));
}
