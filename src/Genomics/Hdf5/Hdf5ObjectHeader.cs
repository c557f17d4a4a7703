namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>Kinds of header messages that are looked at; the others say nothing about data.</summary>
internal enum Hdf5MessageKind
{
    Dataspace = 0x01,
    LinkInfo = 0x02,
    Datatype = 0x03,
    Link = 0x06,
    ExternalFiles = 0x07,
    Layout = 0x08,
    Filters = 0x0b,
    Continuation = 0x10,
    SymbolTable = 0x11,
}

/// <summary>One message of an object's header.</summary>
internal readonly record struct Hdf5Message(Hdf5MessageKind Kind, bool IsShared, ReadOnlyMemory<byte> Content);

/// <summary>An object's header, of format 1 (HDF5 before 1.8 and h5py by default) or 2, as the list of its messages.</summary>
internal static class Hdf5ObjectHeader
{
    private const int MostMessages = 4096;
    private const int SizeBytes1 = 16;
    private const int LongestPrefix2 = 34;
    private const int ChecksumSizeBytes = 4;

    public static List<Hdf5Message> Read(Hdf5Bytes file, ulong address)
    {
        var messages = new List<Hdf5Message>();
        var first = file.Structure(address, Math.Min(LongestPrefix2, Math.Max(SizeBytes1, file.Length - (long)Math.Min(address, (ulong)file.Length))));
        var blocks = new Queue<(ulong Address, long Size)>();
        if (first.AsSpan().StartsWith("OHDR"u8)) Read2(file, address, first, messages, blocks);
        else Read1(file, address, first, messages, blocks);
        return messages;
    }

    private static void Read1(Hdf5Bytes file, ulong address, byte[] prefix, List<Hdf5Message> messages, Queue<(ulong Address, long Size)> blocks)
    {
        var cursor = new Hdf5Cursor(prefix);
        byte version = cursor.U8();
        if (version != 1) throw new InvalidDataException($"an object header is of version {version}; expected 1 or 2");
        cursor.Skip(7);
        blocks.Enqueue((address + SizeBytes1, cursor.U32()));
        while (blocks.TryDequeue(out var block))
        {
            var content = file.Structure(block.Address, block.Size);
            // Type, size, flags and three bytes without meaning.
            for (int place = 0; place + 8 <= content.Length;)
            {
                var head = new Hdf5Cursor(content.AsSpan(place));
                int kind = head.U16(), size = head.U16();
                Add(messages, blocks, kind, head.U8(), Slice(content, place + 8, size));
                place += 8 + size;
            }
        }
    }

    private static void Read2(Hdf5Bytes file, ulong address, byte[] prefix, List<Hdf5Message> messages, Queue<(ulong Address, long Size)> blocks)
    {
        var cursor = new Hdf5Cursor(prefix);
        cursor.Expect("OHDR"u8);
        byte version = cursor.U8();
        if (version != 2) throw new InvalidDataException($"an object header is of version {version}; expected 1 or 2");
        byte flags = cursor.U8();
        bool hasTimes = (flags & 0x20) != 0, hasPhaseChange = (flags & 0x10) != 0, hasOrder = (flags & 0x04) != 0;
        cursor.Skip((hasTimes ? 16 : 0) + (hasPhaseChange ? 4 : 0));
        ulong size = cursor.Unsigned(1 << (flags & 3));
        ReadBlock2(file.Structure(address + (ulong)(prefix.Length - cursor.Left), (long)Math.Min(size, long.MaxValue)), hasOrder, messages, blocks);
        while (blocks.TryDequeue(out var block))
        {
            var content = file.Structure(block.Address, block.Size);
            new Hdf5Cursor(content).Expect("OCHK"u8);
            ReadBlock2(content.AsMemory(4, Math.Max(0, content.Length - 4 - ChecksumSizeBytes)), hasOrder, messages, blocks);
        }
    }

    private static void ReadBlock2(ReadOnlyMemory<byte> content, bool hasOrder, List<Hdf5Message> messages, Queue<(ulong Address, long Size)> blocks)
    {
        int headSize = hasOrder ? 6 : 4;
        for (int place = 0; place + headSize <= content.Length;)
        {
            var head = new Hdf5Cursor(content.Span[place..]);
            int kind = head.U8(), size = head.U16();
            Add(messages, blocks, kind, head.U8(), Slice(content, place + headSize, size));
            place += headSize + size;
        }
    }

    private static void Add(List<Hdf5Message> messages, Queue<(ulong Address, long Size)> blocks, int kind, byte flags, ReadOnlyMemory<byte> content)
    {
        if (messages.Count == MostMessages) throw new InvalidDataException($"an object header has more than {MostMessages} messages");
        messages.Add(new Hdf5Message((Hdf5MessageKind)kind, IsShared: (flags & 0x02) != 0, content));
        if (kind != (int)Hdf5MessageKind.Continuation) return;
        var cursor = new Hdf5Cursor(content.Span);
        blocks.Enqueue((cursor.U64(), (long)Math.Min(cursor.U64(), long.MaxValue)));
    }

    private static ReadOnlyMemory<byte> Slice(ReadOnlyMemory<byte> content, int start, int size) => size <= content.Length - start
        ? content.Slice(start, size)
        : throw new InvalidDataException("a message of an object header is cut off");
}
