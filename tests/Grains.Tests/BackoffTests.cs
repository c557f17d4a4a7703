namespace GenSlmOrleans.Grains.Tests;

public sealed class BackoffTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task It_ends_when_its_patience_is_over()
    {
        var time = new InstantTime();
        var backoff = new Backoff(time, Patience);
        while (await backoff.PauseAsync()) Assert.InRange(backoff.Tries, 1, 1000);
        Assert.InRange(time.GetElapsedTime(0), Patience, Patience + TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task What_takes_long_by_itself_is_tried_a_few_times_all_the_same()
    {
        var time = new InstantTime();
        var backoff = new Backoff(time, Patience, fewestTries: 10);
        while (await backoff.PauseAsync()) time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(10, backoff.Tries);
    }

    [Fact]
    public async Task After_progress_it_begins_anew()
    {
        var time = new InstantTime();
        var backoff = new Backoff(time, Patience);
        for (int i = 0; i < 100; i++)
        {
            Assert.True(await backoff.PauseAsync());
            time.Advance(TimeSpan.FromMinutes(6));
            backoff.Restart();
        }

        Assert.Equal(0, backoff.Tries);
    }
}
