namespace GenSlmOrleans.Genomics;

/// <summary>How many records there are of each kind; they are numbered in this order.</summary>
/// <param name="Main">Of the data themselves: for training, and for validation when there is no set of its own for it.</param>
/// <param name="Validation">Of the validation set; 0: none was given.</param>
/// <param name="Test">Of the test set; 0: none was given.</param>
public readonly record struct RecordSets(int Main, int Validation = 0, int Test = 0)
{
    public int Total => Main + Validation + Test;
}
