using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Tests;

public sealed class SummaryTests
{
    [Fact]
    public void The_json_summary_has_the_fields_that_scripts_read()
    {
        var status = new RunStatus { RunId = "flu", State = RunState.Completed, Step = 12, EpochsCompleted = 3, Tokens = 99, Seconds = 1.5, TrainLoss = 2.5, BestValidationLoss = 2.25, TestLoss = 0, BestCheckpoint = "b", Exported = "e", WeightsSha256 = "w", RecordsSeenExactlyOnce = true, LedgerHead = "l", ShardsReassigned = 2, ReplayedSteps = 1 };
        Assert.Equal(
            """{"runId":"flu","status":"completed","steps":12,"epochs":3,"tokens":99,"seconds":1.5,"finalTrainLoss":2.5,"bestValLoss":2.25,"testLoss":0,"testPerplexity":1,"bestCheckpoint":"b","exported":"e","weightsSha256":"w","recordsSeenExactlyOnce":true,"ledgerHead":"l","shardsReassigned":2,"repeatedMicroBatches":0,"replayedSteps":1}""",
            Summary.Json(status));
        using var failed = JsonDocument.Parse(Summary.Json(new RunStatus { State = RunState.Failed }));
        Assert.Equal(("failed", JsonValueKind.Null), (failed.RootElement.GetProperty("status").GetString(), failed.RootElement.GetProperty("exported").ValueKind));
    }

    [Fact]
    public void A_step_is_one_line_with_what_people_look_for()
    {
        var step = new RunEvent(1, RunEventKind.Step, 4, "", new MetricLine { Step = 4, Epoch = 0, TrainLoss = 4.24, Tokens = 11_340, LearningRate = 1e-5, GradientNorm = 1.0956, Seconds = 0.25 }, default);
        Assert.Equal("step 4/80  epoch 1/10  loss 4.2400  |g| 1.1  lr 1.0e-5  45.4k tok/s", EventText.Line(step, new RunStatus { TotalSteps = 80, Epochs = 10 }));
        var validation = new RunEvent(2, RunEventKind.Validation, 4, "", new MetricLine { Kind = "validation", Step = 4, ValLoss = 3.5, Best = true }, default);
        Assert.Equal("validation  step 4  loss 3.5000  best", EventText.Line(validation, new RunStatus()));
    }
}
