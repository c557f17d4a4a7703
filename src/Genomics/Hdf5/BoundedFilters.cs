using System.IO.Compression;
using PureHDF.Filters;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>
/// The filters that chunks may have gone through, in place of PureHDF's, for the whole process: PureHDF's would unpack any size, and
/// move bytes through pointers by parameters that the file gives.
/// </summary>
internal static class BoundedFilters
{
    private const int ChecksumSizeBytes = 4;

    /// <summary>Puts them in place; again does no harm.</summary>
    public static void Register()
    {
        H5Filter.Register(new Deflate());
        H5Filter.Register(new Shuffle());
        H5Filter.Register(new Unsupported(5, "nbit"));
        H5Filter.Register(new Unsupported(6, "scale-offset"));
    }

    /// <summary>zlib data that unpack to exactly a chunk.</summary>
    private sealed class Deflate : IH5Filter
    {
        // The first byte of zlib data with a window of 32 KiB, the only one that HDF5 writes.
        private const byte ZlibHead = 0x78;

        private readonly DeflateFilter _writer = new();

        public ushort FilterId => DeflateFilter.Id;

        public string Name => _writer.Name;

        public Memory<byte> Filter(FilterInfo info)
        {
            if (!info.Flags.HasFlag(H5FilterFlags.Decompress)) return _writer.Filter(info);
            // A chunk that would have grown is stored as it is; no token and no mask begins as zlib data do.
            if (info.Buffer.Length == info.ChunkSize && info.Buffer.Span[0] != ZlibHead) return info.Buffer.ToArray();
            return Unpack(info);
        }

        private static Memory<byte> Unpack(FilterInfo info)
        {
            // One byte too many shows what is too long; a checksum may have been added before.
            var unpacked = new byte[checked(info.ChunkSize + ChecksumSizeBytes + 1)];
            using var packed = new MemoryStream(info.Buffer.ToArray(), writable: false);
            using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
            int size = zlib.ReadAtLeast(unpacked, unpacked.Length, throwOnEndOfStream: false);
            if (size != info.ChunkSize && size != info.ChunkSize + ChecksumSizeBytes)
                throw new InvalidDataException($"a chunk of {info.ChunkSize} bytes unpacks to {(size == unpacked.Length ? "more" : $"{size}")}");
            return unpacked.AsMemory(0, size);
        }

        public uint[] GetParameters(uint[] chunkDimensions, uint typeSize, Dictionary<string, object>? options) => _writer.GetParameters(chunkDimensions, typeSize, options);
    }

    /// <summary>All first bytes of the elements, then all second bytes…; what is left over of the last element comes last as it is.</summary>
    private sealed class Shuffle : IH5Filter
    {
        private readonly ShuffleFilter _writer = new();

        public ushort FilterId => ShuffleFilter.Id;

        public string Name => _writer.Name;

        public Memory<byte> Filter(FilterInfo info)
        {
            if (!info.Flags.HasFlag(H5FilterFlags.Decompress)) return _writer.Filter(info);
            if (info.Parameters is not [> 0 and <= sizeof(long) and var size]) throw new InvalidDataException("its shuffle filter has no element size from 1 to 8");
            int width = (int)size, count = info.Buffer.Length / width;
            var source = info.Buffer.Span;
            var elements = new byte[source.Length];
            for (int place = 0; place < width; place++)
            {
                var bytes = source.Slice(place * count, count);
                for (int i = 0; i < bytes.Length; i++) elements[(i * width) + place] = bytes[i];
            }

            source[(width * count)..].CopyTo(elements.AsSpan(width * count));
            return elements;
        }

        public uint[] GetParameters(uint[] chunkDimensions, uint typeSize, Dictionary<string, object>? options) => _writer.GetParameters(chunkDimensions, typeSize, options);
    }

    private sealed class Unsupported(ushort id, string name) : IH5Filter
    {
        public ushort FilterId => id;

        public string Name => name;

        public Memory<byte> Filter(FilterInfo info) => throw new InvalidDataException($"it uses the filter {name}; gzip, with or without shuffle, can be read");

        public uint[] GetParameters(uint[] chunkDimensions, uint typeSize, Dictionary<string, object>? options) => throw new NotSupportedException($"The filter {name} cannot be written.");
    }
}
