using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class TorchArchiveWriterTests
{
    [Fact]
    public void What_is_written_is_read_back_to_the_bit_and_is_always_the_same_bytes()
    {
        using var folder = new TemporaryFolder();
        var values = Tensors.Values(Tensors.Count(Tensors.Mixed));
        var bytes = Tensors.Archive("best", Tensors.Mixed, values);

        using var file = TorchArchive.Open(folder.File("best.pth", bytes));

        Assert.Equal(Tensors.Mixed, file.Tensors);
        Tensors.EqualBits(values, [.. Enumerable.Range(0, file.Tensors.Count).SelectMany(file.Read)], "all tensors");
        file.VerifyChecksums();
        Assert.Equal(bytes, Tensors.Archive("best", Tensors.Mixed, values));
    }

    [Fact]
    public void The_archive_is_laid_out_as_torch_save_does()
    {
        var values = Tensors.Values(Tensors.Count(Tensors.Mixed));
        var bytes = Tensors.Archive("best", Tensors.Mixed, values);
        using var zip = new ZipArchive(new MemoryStream(bytes), ZipArchiveMode.Read);

        Assert.Equal(
            ["best/data.pkl", "best/byteorder", "best/data/0", "best/data/1", "best/data/2", "best/data/3", "best/data/4", "best/version"],
            zip.Entries.Select(entry => entry.FullName));
        using var all = new MemoryStream();
        int position = 0;
        foreach (var entry in zip.Entries)
        {
            // The local header: signature, stored, the checksum and lengths in place, no data descriptor after it.
            var header = bytes.AsSpan(position);
            Assert.Equal(0x04034b50u, BinaryPrimitives.ReadUInt32LittleEndian(header));
            Assert.Equal(0x0800, BinaryPrimitives.ReadUInt16LittleEndian(header[6..]));
            Assert.Equal(0, BinaryPrimitives.ReadUInt16LittleEndian(header[8..]));
            int start = position + 30 + BinaryPrimitives.ReadUInt16LittleEndian(header[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
            Assert.Equal(0, start % 64);
            Assert.Equal(entry.Length, entry.CompressedLength);
            Assert.Equal(entry.Length, BinaryPrimitives.ReadUInt32LittleEndian(header[22..]));
            var content = bytes.AsSpan(start, (int)entry.Length);
            Assert.Equal(Crc32.HashToUInt32(content), entry.Crc32);
            Assert.Equal(entry.Crc32, BinaryPrimitives.ReadUInt32LittleEndian(header[14..]));
            if (entry.FullName.Contains("/data/")) all.Write(content);
            position = start + content.Length;
        }

        Assert.Equal(MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), all.ToArray());
        Assert.Equal(0x02014b50u, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(position)));
    }

    [Fact]
    public void Too_many_or_too_few_values_and_impossible_names_are_errors()
    {
        using var writer = new TorchArchiveWriter(new MemoryStream(), "a", [Tensors.Float("a", 3)]);
        writer.Write([1, 2]);
        Assert.Throws<InvalidOperationException>(writer.Complete);
        Assert.Throws<InvalidOperationException>(() => writer.Write([3, 4]));
        Assert.Throws<ArgumentException>(() => new TorchArchiveWriter(new MemoryStream(), "a/b", [Tensors.Float("a", 3)]));
        Assert.Throws<ArgumentException>(() => new TorchArchiveWriter(new HashingStream(Stream.Null), "a", [Tensors.Float("a", 3)]));
    }

    [Fact]
    public void An_archive_of_more_than_4_GB_with_a_tensor_of_more_than_4_GB_uses_Zip64()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("large.pth");
        TensorDescription[] tensors = [Tensors.Float("large", (1L << 30) + 5), Tensors.Float("small", 3)];
        using (var stream = new SparseStream(path))
        using (var writer = new TorchArchiveWriter(stream, "large", tensors))
        {
            var zeros = new float[1 << 22];
            for (int i = 0; i < 256; i++) writer.Write(zeros);
            writer.Write([1, 2, 3, 4, 5, 6, 7, 8]);
            writer.Complete();
        }

        using var file = TorchArchive.Open(path);
        Assert.Equal(tensors, file.Tensors);
        var end = new float[8];
        file.ReadFloat32(0, (1L << 30) - 3, end);
        Assert.Equal([0, 0, 0, 1, 2, 3, 4, 5], end);
        Assert.Equal([6, 7, 8], file.Read("small"));
        using var zip = ZipFile.OpenRead(path);
        Assert.Equal(((1L << 30) + 5) * 4, zip.GetEntry("large/data/0")!.Length);
        Assert.Equal(12, zip.GetEntry("large/data/1")!.Length);
    }

    /// <summary>A file in which long runs of zeros are holes, so that gigabytes cost nothing.</summary>
    private sealed class SparseStream(string path) : Stream
    {
        private readonly FileStream _file = new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 0);

        public override bool CanRead => false;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => _file.Length;

        public override long Position { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > 4096 && buffer.IndexOfAnyExcept((byte)0) < 0) _file.SetLength(Math.Max(_file.Length, Position + buffer.Length));
            else RandomAccess.Write(_file.SafeFileHandle, buffer, Position);
            Position += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => _file.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _file.Dispose();
            base.Dispose(disposing);
        }
    }
}
