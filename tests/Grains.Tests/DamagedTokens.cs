using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Tokens that are in no vocabulary, in a file that is mapped: whoever computes with them fails, as a device does, until this is disposed.</summary>
internal sealed class DamagedTokens : IDisposable
{
    private const byte NoToken = 255;

    // Of the file: the tokens follow it.
    private const int HeadSizeBytes = 104;

    private readonly string _path;
    private readonly byte[] _tokens;

    public DamagedTokens(string path)
    {
        _path = path;
        using (var store = TokenStore.Open(path)) _tokens = new byte[store.TokenCount];
        using (var file = Open()) file.ReadExactly(_tokens);
        Write([.. Enumerable.Repeat(NoToken, _tokens.Length)]);
    }

    public void Dispose() => Write(_tokens);

    private void Write(byte[] tokens)
    {
        using var file = Open();
        file.Write(tokens);
    }

    private FileStream Open()
    {
        var file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Seek(HeadSizeBytes, SeekOrigin.Begin);
        return file;
    }
}
