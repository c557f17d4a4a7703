using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class HashingStreamTests
{
    [Fact]
    public void What_is_hashed_while_it_is_written_has_the_hash_of_the_file()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("part.safetensors");
        string text;
        using (var file = File.Create(path))
        using (var hashing = new HashingStream(file))
        using (var writer = new SafetensorsWriter(hashing, Tensors.Mixed))
        {
            writer.Write(Tensors.Values(Tensors.Count(Tensors.Mixed)));
            writer.Complete();
            text = hashing.HashText;
            Assert.Equal(file.Length, hashing.Length);
        }

        Assert.Equal(text, Xxh3.TextOf(Xxh3.OfFile(path)));
        using var whole = WeightFile.Open(path);
        Assert.Equal(Tensors.Mixed, whole.Tensors);
    }

    [Fact]
    public void The_hash_is_XXH3s()
    {
        // The reference implementation's value for no input.
        using var hashing = new HashingStream(Stream.Null);
        Assert.Equal("2d06800538d394c2", hashing.HashText);
    }
}
