using System.Buffers.Binary;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Reads a pickle (protocols 2 to 5) into plain values without importing or calling anything: a small stack machine that
/// knows the instructions Python's pickler emits, and of all Python names only those in <see cref="PickleGlobals"/>.
/// The number of values, the nesting and every length are limited, so a hostile pickle costs bounded time and memory.
/// </summary>
internal sealed class RestrictedUnpickler
{
    /// <summary>The longest pickle that is read, in bytes; the weights themselves are not in it.</summary>
    public const int LongestPickle = 64 << 20;

    private const int MostValues = 4_000_000;
    private const int MostMarks = 1000;

    private readonly byte[] _pickle;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _position;
    private int _values;

    private RestrictedUnpickler(byte[] pickle, string path)
    {
        _pickle = pickle;
        _path = path;
    }

    /// <summary>The value that the pickle describes; see <see cref="PickleTuple"/> and its neighbours.</summary>
    /// <exception cref="WeightFileException">The pickle is damaged, too large, or has instructions that torch.save never writes.</exception>
    public static object? Load(byte[] pickle, string path)
    {
        var machine = new RestrictedUnpickler(pickle, path);
        while (true)
        {
            byte instruction = machine.Take(1)[0];
            if (instruction == '.') return machine.Result();
            if (!machine.Scalar(instruction) && !machine.Container(instruction) && !machine.Python(instruction))
                throw machine.Bad($"has the instruction 0x{instruction:x2}, which torch.save does not write");
        }
    }

    private object? Result()
    {
        var value = Pop();
        if (_stack.Count != 0 || _marks.Count != 0) throw Bad("ends with values left over");
        if (_position != _pickle.Length) throw Bad("goes on after its end");
        return value;
    }

    // Instructions that push a constant, or are about the stream itself.
    private bool Scalar(byte instruction)
    {
        switch (instruction)
        {
            case 0x80: CheckProtocol(Take(1)[0]); break;
            case 0x95: CheckLength(BinaryPrimitives.ReadUInt64LittleEndian(Take(8))); break; // FRAME: only a hint
            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': Push((long)Take(1)[0]); break;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case 0x8a: PushLong(Take(Take(1)[0])); break;
            case 0x8b: PushLong(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case 0x8c: PushText(Take(Take(1)[0])); break;
            case (byte)'X': PushText(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case 0x8d: PushText(Take(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)))); break;
            // Python 2's str: torch's own names, where they were written by it.
            case (byte)'U': PushText(Take(Take(1)[0])); break;
            case (byte)'T': PushText(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case (byte)'C': Push(Take(Take(1)[0]).ToArray()); break;
            case (byte)'B': Push(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))).ToArray()); break;
            case 0x8e or 0x96: Push(Take(BinaryPrimitives.ReadUInt64LittleEndian(Take(8))).ToArray()); break;
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
            case (byte)')': Push(new PickleTuple([])); break;
            case 0x85: Push(new PickleTuple([Pop()])); break;
            case 0x86: PushTuple(2); break;
            case 0x87: PushTuple(3); break;
            case (byte)'t': Push(new PickleTuple(PopToMark())); break;
            case (byte)']' or 0x8f: Push(new PickleList()); break;
            case 0x91:
                var set = new PickleList();
                set.Items.AddRange(PopToMark());
                Push(set);
                break;
            case (byte)'}': Push(new PickleDictionary()); break;
            case (byte)'a': Append([Pop()]); break;
            case (byte)'e' or 0x90: Append(PopToMark()); break;
            case (byte)'s':
                var value = Pop();
                Set([Pop(), value]);
                break;
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
            case (byte)'c': Push(new PickleGlobal($"{Line()}.{Line()}")); break;
            case 0x93:
                if (Pop() is not string name || Pop() is not string module) throw Bad("names something with values that are not text");
                Push(new PickleGlobal($"{module}.{name}"));
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
            case (byte)'Q': Push(PickleGlobals.Storage(Pop()) ?? throw Bad("refers to something other than a storage of the archive")); break;
            case (byte)'q': Remember(Take(1)[0]); break;
            case (byte)'r': Remember(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case 0x94: Remember((uint)_memo.Count); break;
            case (byte)'h': Recall(Take(1)[0]); break;
            case (byte)'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Top()); break;
            default: return false;
        }

        return true;
    }

    private void Call(object? arguments)
    {
        var tuple = arguments as PickleTuple ?? throw Bad("calls something with arguments that are not a tuple");
        var callee = Pop();
        Push(PickleGlobals.Call(callee, tuple) ?? throw Bad($"calls {MessageText.Quote(((PickleGlobal)callee!).Name)} in a way that is not known"));
    }

    private void Append(ReadOnlySpan<object?> items)
    {
        if (Top() is PickleList list) list.Items.AddRange(items);
        else if (Top() is not PickleOpaque) throw Bad("appends to something that is not a list");
    }

    private void Set(object?[] items)
    {
        if (items.Length % 2 != 0) throw Bad("sets a key without a value");
        if (Top() is PickleDictionary dictionary)
        {
            for (int i = 0; i < items.Length; i += 2) dictionary.Items.Add((items[i], items[i + 1]));
        }
        else if (Top() is not PickleOpaque)
        {
            throw Bad("sets items of something that is not a dictionary");
        }
    }

    private void CheckProtocol(byte protocol)
    {
        if (protocol is < 2 or > 5) throw Bad($"has protocol {protocol}; 2 to 5 are read");
    }

    private void PushTuple(int count)
    {
        var items = new object?[count];
        for (int i = count - 1; i >= 0; i--) items[i] = Pop();
        Push(new PickleTuple(items));
    }

    // Little-endian two's complement; no size or offset needs more than 64 bits, so a longer number is only carried about.
    private void PushLong(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 8)
        {
            Push(new PickleOpaque("int"));
            return;
        }

        long value = bytes.IsEmpty || bytes[^1] < 0x80 ? 0 : -1;
        for (int i = bytes.Length - 1; i >= 0; i--) value = (value << 8) | bytes[i];
        Push(value);
    }

    private void PushText(ReadOnlySpan<byte> bytes) => Push(Encoding.UTF8.GetString(bytes));

    private string Line()
    {
        var rest = _pickle.AsSpan(_position);
        int length = rest.IndexOf((byte)'\n');
        if (length is < 0 or > 1000) throw Bad("has a name without an end");
        _position += length + 1;
        return Encoding.UTF8.GetString(rest[..length]);
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        CheckLength(count);
        var taken = _pickle.AsSpan(_position, (int)count);
        _position += (int)count;
        return taken;
    }

    private void CheckLength(ulong count)
    {
        if (count > (ulong)(_pickle.Length - _position)) throw Bad("ends too early");
    }

    private void Push(object? value)
    {
        if (++_values > MostValues) throw Bad($"has more than {MostValues} values");
        _stack.Add(value);
    }

    private object? Pop()
    {
        var value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object? Top() => _stack.Count > (_marks.Count == 0 ? 0 : _marks[^1]) ? _stack[^1] : throw Bad("uses a value that is not there");

    private void Mark()
    {
        if (_marks.Count == MostMarks) throw Bad($"is nested more than {MostMarks} deep");
        _marks.Add(_stack.Count);
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw Bad("closes a group that was not opened");
        int start = _marks[^1];
        var items = _stack.GetRange(start, _stack.Count - start).ToArray();
        _stack.RemoveRange(start, items.Length);
        _marks.RemoveAt(_marks.Count - 1);
        return items;
    }

    private void Remember(uint place) => _memo[place] = Top();

    private void Recall(uint place) =>
        Push(_memo.TryGetValue(place, out var value) ? value : throw Bad($"recalls value {place}, which was not remembered"));

    private WeightFileException Bad(string what) => new($"{_path}: the archive's pickle {what} (byte {_position} of {_pickle.Length}).");
}
