namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>A node of a B-tree of version 1.</summary>
/// <param name="Level">0: a leaf.</param>
/// <param name="Children">Addresses of nodes one level below, or of what a leaf points to.</param>
/// <param name="Keys">The key before each child.</param>
internal readonly record struct Hdf5TreeNode(int Level, ulong[] Children, ReadOnlyMemory<byte>[] Keys)
{
    private const int HeadSizeBytes = 24;

    /// <summary>Reads a node, whose level must be below <paramref name="depth"/>: so every way down ends.</summary>
    public static Hdf5TreeNode Read(Hdf5Bytes file, ulong address, int kind, int keySizeBytes, int depth)
    {
        var head = new Hdf5Cursor(file.Structure(address, HeadSizeBytes));
        head.Expect("TREE"u8);
        int found = head.U8(), level = head.U8(), count = head.U16();
        if (found != kind) throw new InvalidDataException($"a tree node is of kind {found}; expected {kind}");
        if (level >= depth) throw new InvalidDataException($"a tree node is of level {level}; expected one below {depth}");
        var content = file.Structure(address + HeadSizeBytes, (long)count * (keySizeBytes + sizeof(ulong)));
        var children = new ulong[count];
        var keys = new ReadOnlyMemory<byte>[count];
        for (int i = 0; i < count; i++)
        {
            int place = i * (keySizeBytes + sizeof(ulong));
            keys[i] = content.AsMemory(place, keySizeBytes);
            children[i] = new Hdf5Cursor(content.AsSpan(place + keySizeBytes)).U64();
        }

        return new Hdf5TreeNode(level, children, keys);
    }
}
