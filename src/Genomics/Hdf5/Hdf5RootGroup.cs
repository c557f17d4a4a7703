using System.Text;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>What the root group names: the address of each object's header. Links to elsewhere are none of a file's own data.</summary>
internal sealed class Hdf5RootGroup
{
    private const ulong Undefined = ulong.MaxValue;
    private const int DeepestTree = 16;
    private readonly Dictionary<string, ulong> _objects = new(StringComparer.Ordinal);
    private readonly HashSet<string> _elsewhere = new(StringComparer.Ordinal);
    private readonly Hdf5Bytes _file;

    private Hdf5RootGroup(Hdf5Bytes file) => _file = file;

    public static Hdf5RootGroup Read(Hdf5Bytes file)
    {
        var group = new Hdf5RootGroup(file);
        foreach (var message in Hdf5ObjectHeader.Read(file, RootAddress(file)))
        {
            if (message.Kind == Hdf5MessageKind.SymbolTable) group.AddSymbolTable(message.Content.Span);
            if (message.Kind == Hdf5MessageKind.Link) group.AddLink(message.Content.Span);
            if (message.Kind == Hdf5MessageKind.LinkInfo) CheckLinkInfo(message.Content.Span);
        }

        return group;
    }

    /// <summary>The header of a dataset.</summary>
    /// <exception cref="InvalidDataException">The file has none of this name, or only a link to one elsewhere.</exception>
    public List<Hdf5Message> Open(string name)
    {
        if (_objects.TryGetValue(name, out ulong address)) return Hdf5ObjectHeader.Read(_file, address);
        throw new InvalidDataException(_elsewhere.Contains(name)
            ? $"its {name} is a link to somewhere else; give the file that has the data"
            : $"it has no dataset {name}; GenSLM's have input_ids and attention_mask, [records × block size] each");
    }

    private static ulong RootAddress(Hdf5Bytes file)
    {
        // The signature has been seen.
        var cursor = new Hdf5Cursor(file.Structure(8, Math.Min(96, file.Length - 8)));
        byte version = cursor.U8();
        if (version > 3) throw new InvalidDataException($"its superblock is of version {version}; expected 0 to 3");
        if (version >= 2)
        {
            CheckSizes(cursor.U8(), cursor.U8());
            cursor.Skip(1);
            CheckBase(cursor.U64());
            cursor.Skip(16);
            return cursor.U64();
        }

        cursor.Skip(4);
        CheckSizes(cursor.U8(), cursor.U8());
        cursor.Skip(version == 0 ? 9 : 13);
        CheckBase(cursor.U64());
        // Three more addresses, then the root group's entry: offset of its name, address of its header.
        cursor.Skip(32);
        return cursor.U64();
    }

    private static void CheckSizes(byte offsets, byte lengths)
    {
        if (offsets != 8 || lengths != 8) throw new InvalidDataException($"its addresses have {offsets} bytes and its lengths {lengths}; expected 8 each");
    }

    private static void CheckBase(ulong address)
    {
        if (address != 0) throw new InvalidDataException($"its data begin at {address}; expected 0, a file without a user block");
    }

    /// <summary>Old groups: names in a heap, entries in nodes (SNOD) under a B-tree.</summary>
    private void AddSymbolTable(ReadOnlySpan<byte> content)
    {
        var cursor = new Hdf5Cursor(content);
        ulong tree = cursor.U64();
        var heap = new Hdf5Cursor(_file.Structure(cursor.U64(), 32));
        heap.Expect("HEAP"u8);
        heap.Skip(4);
        ulong size = heap.U64();
        heap.Skip(8);
        AddTree(tree, _file.Structure(heap.U64(), (long)Math.Min(size, long.MaxValue)), DeepestTree);
    }

    private void AddTree(ulong address, byte[] names, int depth)
    {
        var node = Hdf5TreeNode.Read(_file, address, kind: 0, keySizeBytes: 8, depth);
        foreach (ulong child in node.Children)
        {
            if (node.Level > 0) AddTree(child, names, node.Level);
            else AddSymbols(child, names);
        }
    }

    private void AddSymbols(ulong address, byte[] names)
    {
        const int EntrySizeBytes = 40;
        var head = new Hdf5Cursor(_file.Structure(address, 8));
        head.Expect("SNOD"u8);
        head.Skip(2);
        int count = head.U16();
        var entries = new Hdf5Cursor(_file.Structure(address + 8, count * EntrySizeBytes));
        for (int i = 0; i < count; i++)
        {
            ulong name = entries.U64(), header = entries.U64();
            Add(NameAt(names, name), header, isHere: header != Undefined && entries.U32() != 2);
            entries.Skip(header == Undefined ? 24 : 20);
        }
    }

    private static string NameAt(byte[] names, ulong offset)
    {
        if (offset >= (ulong)names.Length) throw new InvalidDataException("a name lies outside of the names");
        var rest = names.AsSpan((int)offset);
        int end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }

    /// <summary>New groups: a message a link, as long as they are few.</summary>
    private void AddLink(ReadOnlySpan<byte> content)
    {
        var cursor = new Hdf5Cursor(content);
        cursor.Skip(1);
        byte flags = cursor.U8();
        byte kind = (flags & 0x08) != 0 ? cursor.U8() : (byte)0;
        cursor.Skip(((flags & 0x04) != 0 ? 8 : 0) + ((flags & 0x10) != 0 ? 1 : 0));
        ulong length = cursor.Unsigned(1 << (flags & 3));
        var name = Encoding.UTF8.GetString(cursor.Take((int)Math.Min(length, int.MaxValue)));
        Add(name, kind == 0 ? cursor.U64() : Undefined, isHere: kind == 0);
    }

    private static void CheckLinkInfo(ReadOnlySpan<byte> content)
    {
        var cursor = new Hdf5Cursor(content);
        cursor.Skip(1);
        byte flags = cursor.U8();
        cursor.Skip((flags & 1) != 0 ? 8 : 0);
        if (cursor.U64() != Undefined) throw new InvalidDataException("it has so many datasets that their names are kept in an index; GenSLM's files have five");
    }

    private void Add(string name, ulong header, bool isHere)
    {
        if (isHere) _objects[name] = header;
        else _elsewhere.Add(name);
    }
}
