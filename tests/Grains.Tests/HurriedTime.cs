namespace GenSlmOrleans.Grains.Tests;

/// <summary>A clock that goes so many times as fast: what takes half a minute by it is over in a second.</summary>
internal sealed class HurriedTime(int times) : TimeProvider
{
    public override long GetTimestamp() => System.GetTimestamp() * times;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Hurried(dueTime), Hurried(period));

    private TimeSpan Hurried(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? time : time / times;
}
