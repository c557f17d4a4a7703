using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Reads a pickle (protocols 2 to 5) into plain values without importing or calling anything: a small stack machine that
/// knows the instructions Python's pickler emits, and of all Python names only those in <see cref="PickleGlobals"/>.
/// Every value is charged for before it is made, and nesting and lengths are limited: a hostile pickle costs bounded time and memory.
/// </summary>
internal sealed class RestrictedUnpickler
{
    /// <summary>What the <see cref="PickleOpaque.Origin"/> of a number of more than 64 bits begins with; its bytes follow as hexadecimal digits.</summary>
    public const string Integer = "int ";

    private const int MostMarks = 1000;
    private const int LongestLine = 1000;
    private const int LongestText = 1 << 16;
    private const int LongestNumber = 16;

    // Bytes of memory, about: a place in a list that grows by doubling, an object with a header and a field or two, one with a list inside.
    private const int SlotSize = 16;
    private const int BoxSize = 32;
    private const int ContainerSize = 64;

    // What values may cost in memory, beside as many bytes as the pickle has itself.
    private const long MostMemory = 24 << 20;

    private readonly PickleSource _source;
    private readonly Dictionary<string, PickleStorage>? _storages;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private long _memory;

    private RestrictedUnpickler(PickleSource source, Dictionary<string, PickleStorage>? storages)
    {
        _source = source;
        _storages = storages;
        _memory = MostMemory;
    }

    /// <summary>The value that the pickle describes; see <see cref="PickleTuple"/> and its neighbours.</summary>
    /// <param name="source">Read up to the pickle's end.</param>
    /// <param name="storages">Receives every storage that the pickle refers to, by key; each must be described in one way. Null: not needed.</param>
    /// <exception cref="WeightFileException">The pickle is damaged, too large, or has instructions that torch.save never writes.</exception>
    public static object? Load(PickleSource source, Dictionary<string, PickleStorage>? storages = null)
    {
        var machine = new RestrictedUnpickler(source, storages);
        while (true)
        {
            byte instruction = machine.Byte();
            if (instruction == '.') return machine.Result();
            if (!machine.Scalar(instruction) && !machine.Container(instruction) && !machine.Python(instruction))
                throw source.Bad($"has the instruction 0x{instruction:x2}, which torch.save does not write");
        }
    }

    private object? Result()
    {
        var value = Pop();
        return _stack.Count == 0 && _marks.Count == 0 ? value : throw _source.Bad("ends with values left over");
    }

    // Instructions that push a constant, or are about the stream itself.
    private bool Scalar(byte instruction)
    {
        switch (instruction)
        {
            case 0x80: CheckProtocol(Byte()); break;
            case 0x95: _source.CheckAvailable(Wide()); break; // FRAME: only a hint
            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': PushNumber(Byte()); break;
            case (byte)'M': PushNumber(BinaryPrimitives.ReadUInt16LittleEndian(_source.Take(2))); break;
            case (byte)'J': PushNumber(BinaryPrimitives.ReadInt32LittleEndian(_source.Take(4))); break;
            case 0x8a: PushLong(Byte()); break;
            case 0x8b: PushLong(Word()); break;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(_source.Take(8)), BoxSize); break;
            // U and T are Python 2's str: torch's own names, where they were written by it.
            case 0x8c or (byte)'U': PushText(Byte()); break;
            case (byte)'X' or (byte)'T': PushText(Word()); break;
            case 0x8d: PushText(Wide()); break;
            case (byte)'C': PushBytes(Byte()); break;
            case (byte)'B': PushBytes(Word()); break;
            case 0x8e or 0x96: PushBytes(Wide()); break;
            default: return false;
        }

        return true;
    }

    // Instructions that make and fill tuples, lists, dictionaries and sets.
    private bool Container(byte instruction)
    {
        switch (instruction)
        {
            case (byte)'(': Mark(); break;
            case (byte)')': PushTuple([]); break;
            case 0x85: PushTuple(PopMany(1)); break;
            case 0x86: PushTuple(PopMany(2)); break;
            case 0x87: PushTuple(PopMany(3)); break;
            case (byte)'t': PushTuple(PopToMark()); break;
            case (byte)']' or 0x8f: Push(new PickleList(), ContainerSize); break;
            case 0x91:
                var members = PopToMark();
                Push(new PickleList(), ContainerSize);
                Append(members);
                break;
            case (byte)'}': Push(new PickleDictionary(), ContainerSize); break;
            case (byte)'a': Append(PopMany(1)); break;
            case (byte)'e' or 0x90: Append(PopToMark()); break;
            case (byte)'s': Set(PopMany(2)); break;
            case (byte)'u': Set(PopToMark()); break;
            default: return false;
        }

        return true;
    }

    // Instructions that name, call or remember.
    private bool Python(byte instruction)
    {
        switch (instruction)
        {
            case (byte)'c': PushGlobal(Line(), Line()); break;
            case 0x93:
                if (Pop() is not string name || Pop() is not string module) throw _source.Bad("names something with values that are not text");
                PushGlobal(module, name);
                break;
            case (byte)'R' or 0x81: Call(Pop()); break;
            case 0x92:
                Pop();
                Call(Pop());
                break;
            case (byte)'b':
                // Attributes (an OrderedDict's _metadata, a parameter's): nothing here has any.
                Pop();
                Top();
                break;
            case (byte)'Q': PushPersistent(Pop()); break;
            case (byte)'q': Remember(Byte()); break;
            case (byte)'r': Remember(Word()); break;
            case 0x94: Remember((uint)_memo.Count); break;
            case (byte)'h': Recall(Byte()); break;
            case (byte)'j': Recall(Word()); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Top()); break;
            default: return false;
        }

        return true;
    }

    private void Call(object? arguments)
    {
        var tuple = arguments as PickleTuple ?? throw _source.Bad("calls something with arguments that are not a tuple");
        var callee = Pop();
        var value = PickleGlobals.Call(callee, tuple)
            ?? throw _source.Bad($"calls {MessageText.Quote(((PickleGlobal)callee!).Name)} in a way that is not known");
        Push(value, ContainerSize);
    }

    private void PushPersistent(object? id)
    {
        var value = PickleGlobals.Persistent(id) ?? throw _source.Bad("refers to something other than a storage of the file");
        if (_storages is not null && value is PickleStorage storage && !_storages.TryAdd(storage.Key, storage) && !_storages[storage.Key].IsSameAs(storage))
            throw _source.Bad($"describes the storage {MessageText.Quote(storage.Key)} in two ways");
        Push(value, ContainerSize);
    }

    private void Append(object?[] items)
    {
        Charge(items.Length * SlotSize);
        if (Top() is PickleList list) list.Items.AddRange(items);
        else if (Top() is not PickleOpaque) throw _source.Bad("appends to something that is not a list");
    }

    private void Set(object?[] items)
    {
        if (items.Length % 2 != 0) throw _source.Bad("sets a key without a value");
        Charge(items.Length * SlotSize);
        if (Top() is PickleDictionary dictionary)
        {
            for (int i = 0; i < items.Length; i += 2) dictionary.Items.Add((items[i], items[i + 1]));
        }
        else if (Top() is not PickleOpaque)
        {
            throw _source.Bad("sets items of something that is not a dictionary");
        }
    }

    private void CheckProtocol(byte protocol)
    {
        if (protocol is < 2 or > 5) throw _source.Bad($"has protocol {protocol}; 2 to 5 are read");
    }

    private void PushTuple(object?[] items) => Push(new PickleTuple(items), BoxSize + BoxSize + items.Length * sizeof(long));

    private void PushNumber(long number) => Push(number, BoxSize);

    // Little-endian two's complement; no size or offset needs more than 64 bits, so a longer number is only carried about.
    private void PushLong(uint length)
    {
        if (length > sizeof(long))
        {
            var head = length <= LongestNumber ? Convert.ToHexStringLower(_source.Take((int)length)) : "";
            if (head.Length == 0) _source.Skip(length);
            Push(new PickleOpaque(Integer + head), BoxSize + head.Length * sizeof(char));
            return;
        }

        var bytes = _source.Take((int)length);
        long value = bytes.IsEmpty || bytes[^1] < 0x80 ? 0 : -1;
        for (int i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        PushNumber(value);
    }

    // No name of a tensor is that long; what is longer is only carried about.
    private void PushText(ulong length)
    {
        if (length > LongestText)
        {
            _source.Skip(length);
            Push(new PickleOpaque("str"), BoxSize);
            return;
        }

        Charge(BoxSize + (long)length * sizeof(char));
        Push(Encoding.UTF8.GetString(_source.Take((int)length)));
    }

    private void PushBytes(ulong length)
    {
        _source.Skip(length);
        Push(new PickleOpaque("bytes"), BoxSize);
    }

    private void PushGlobal(string module, string name) =>
        Push(new PickleGlobal($"{module}.{name}"), BoxSize + BoxSize + (module.Length + name.Length) * sizeof(char));

    private string Line()
    {
        Span<byte> text = stackalloc byte[LongestLine];
        int length = 0;
        for (byte next = Byte(); next != '\n'; next = Byte())
        {
            if (length == text.Length) throw _source.Bad("has a name without an end");
            text[length++] = next;
        }

        return Encoding.UTF8.GetString(text[..length]);
    }

    private byte Byte() => _source.Take(1)[0];

    private uint Word() => BinaryPrimitives.ReadUInt32LittleEndian(_source.Take(4));

    private ulong Wide() => BinaryPrimitives.ReadUInt64LittleEndian(_source.Take(8));

    private void Push(object? value, long size = 0)
    {
        Charge(SlotSize + size);
        _stack.Add(value);
    }

    private void Charge(long size)
    {
        _memory -= size;
        if (_memory < 0 && _memory + _source.Position < 0) throw _source.Bad("holds more values than are read");
    }

    private object? Pop()
    {
        var value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object? Top() => _stack.Count > (_marks.Count == 0 ? 0 : _marks[^1]) ? _stack[^1] : throw _source.Bad("uses a value that is not there");

    private void Mark()
    {
        if (_marks.Count == MostMarks) throw _source.Bad($"is nested more than {MostMarks} deep");
        _marks.Add(_stack.Count);
    }

    private object?[] PopMany(int count)
    {
        var items = new object?[count];
        for (int i = count - 1; i >= 0; i--) items[i] = Pop();
        return items;
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw _source.Bad("closes a group that was not opened");
        int start = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        var items = CollectionsMarshal.AsSpan(_stack)[start..].ToArray();
        _stack.RemoveRange(start, items.Length);
        return items;
    }

    private void Remember(uint place)
    {
        Charge(ContainerSize);
        _memo[place] = Top();
    }

    private void Recall(uint place) =>
        Push(_memo.TryGetValue(place, out var value) ? value : throw _source.Bad($"recalls value {place}, which was not remembered"));
}
