using System.Buffers.Binary;
using System.Text;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Damage to a pickle instruction by instruction: it still parses, and does something else.</summary>
public static class PickleMutation
{
    // Every instruction of protocols 0 to 5, those included that nothing here should know.
    private static readonly byte[] s_instructions =
        [.. "(.0123FIJKLMNPQRSTUVXabcdeghijlopqrstu}]BCGG"u8, .. Enumerable.Range(0x80, 0x19).Select(value => (byte)value)];

    // Names that run something in Python, and names that the reader knows.
    private static readonly (string Module, string Name)[] s_names =
    [
        ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("subprocess", "Popen"), ("builtins", "getattr"),
        ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter"), ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch", "FloatStorage"), ("torch", "HalfStorage"), ("torch", "DoubleStorage"), ("torch", "BoolStorage"), ("torch", "ComplexFloatStorage"), ("torch", "UntypedStorage"),
        ("torch", "Size"), ("collections", "OrderedDict"), ("collections", "defaultdict"), ("builtins", "set"), ("builtins", "dict"),
    ];

    /// <summary>A few changes.</summary>
    public static byte[] Mutate(Random random, ReadOnlySpan<byte> pickle)
    {
        var instructions = Split(pickle);
        for (int changes = random.Next(1, 4); changes > 0 && instructions.Count > 0; changes--) Change(random, instructions);
        return [.. instructions.SelectMany(instruction => instruction)];
    }

    private static void Change(Random random, List<byte[]> instructions)
    {
        int at = random.Next(instructions.Count), length = Math.Min(random.Next(1, 8), instructions.Count - at);
        switch (random.Next(12))
        {
            case 0: instructions[at] = [s_instructions[random.Next(s_instructions.Length)], .. instructions[at][1..]]; break;
            case 1: instructions.RemoveRange(at, length); break;
            case 2: instructions.InsertRange(at, instructions.GetRange(random.Next(instructions.Count - length + 1), length)); break;
            case 3:
                int other = random.Next(instructions.Count);
                (instructions[at], instructions[other]) = (instructions[other], instructions[at]);
                break;
            case 4: instructions.Insert(at, [s_instructions[random.Next(s_instructions.Length)], .. Noise(random, random.Next(9))]); break;
            case 5: instructions.InsertRange(at, Split(Call(random))); break;
            case 6: instructions.Insert(at, LongLength(random)); break;
            case 7 or 8: ChangeArgument(random, instructions); break;
            case 9:
                int times = random.Next(40) == 0 ? random.Next(200_000) : random.Next(300);
                var piece = instructions.GetRange(at, Math.Min(length, 3));
                instructions.InsertRange(at, Enumerable.Repeat(piece, times).SelectMany(part => part));
                break;
            case 10: instructions.Insert(at, [s_instructions[random.Next(s_instructions.Length)]]); break;
            default: instructions.Insert(random.Next(2) == 0 ? at : instructions.Count - 1, Memory(random)); break;
        }
    }

    // An instruction that has a number, a text or a length gets another one.
    private static void ChangeArgument(Random random, List<byte[]> instructions)
    {
        var places = Enumerable.Range(0, instructions.Count).Where(i => instructions[i].Length > 1).ToList();
        if (places.Count == 0) return;
        int place = places[random.Next(places.Count)];
        var changed = instructions[place].ToArray();
        var argument = changed.AsSpan(1);
        if (changed[0] is 0x8a or (byte)'J' or (byte)'K' or (byte)'M' && random.Next(2) == 0)
        {
            // Sizes, strides and offsets are LONG1, BININT and their shorter forms.
            changed = new byte[10];
            (changed[0], changed[1]) = (0x8a, 8);
            BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(2), ByteMutation.Boundary(random, argument[0]));
            instructions[place] = changed;
            return;
        }

        if (changed[0] == (byte)'c')
        {
            var (module, name) = s_names[random.Next(s_names.Length)];
            changed = Encoding.UTF8.GetBytes($"c{module}\n{name}\n");
        }
        else if (random.Next(2) == 0)
        {
            argument[random.Next(Math.Min(argument.Length, 4))] = (byte)ByteMutation.Boundary(random, (ulong)argument.Length);
        }
        else
        {
            argument[random.Next(argument.Length)] ^= (byte)(1 << random.Next(8));
        }

        instructions[place] = changed;
    }

    // Pushes what a call of something dangerous, or of something known in an unknown way, returns.
    private static byte[] Call(Random random)
    {
        var (module, name) = s_names[random.Next(s_names.Length)];
        var call = Encoding.UTF8.GetBytes($"c{module}\n{name}\n");
        byte[] arguments = random.Next(4) switch
        {
            0 => [(byte)')'],
            1 => [(byte)'X', 4, 0, 0, 0, .. "true"u8, 0x85],
            2 => [(byte)'h', 0, (byte)'h', 1, 0x86],
            _ => [(byte)'}', (byte)'N', (byte)'K', 1, 0x87],
        };
        return [.. call, .. arguments, random.Next(3) switch { 0 => 0x81, 1 => (byte)'b', _ => (byte)'R' }];
    }

    // A length that the file does not have.
    private static byte[] LongLength(Random random)
    {
        var bytes = new byte[9];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1), ByteMutation.Boundary(random, 100));
        byte[] wide = [0x8d, 0x8e, 0x95, 0x96], word = [(byte)'X', (byte)'B', (byte)'T', 0x8b];
        bool isWide = random.Next(2) == 0;
        bytes[0] = isWide ? wide[random.Next(wide.Length)] : word[random.Next(word.Length)];
        return isWide ? bytes : bytes[..5];
    }

    private static byte[] Memory(Random random)
    {
        if (random.Next(2) == 0) return [random.Next(2) == 0 ? (byte)'h' : (byte)'q', (byte)random.Next(256)];
        var bytes = new byte[5];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(1), (uint)ByteMutation.Boundary(random, 3));
        bytes[0] = random.Next(2) == 0 ? (byte)'j' : (byte)'r';
        return bytes;
    }

    private static byte[] Noise(Random random, int length)
    {
        var noise = new byte[length];
        random.NextBytes(noise);
        return noise;
    }

    /// <summary>The instructions, each with its arguments; what cannot be cut stays in one piece.</summary>
    internal static List<byte[]> Split(ReadOnlySpan<byte> pickle)
    {
        var instructions = new List<byte[]>();
        while (!pickle.IsEmpty)
        {
            int length = (int)Math.Min(1 + ArgumentLength(pickle), pickle.Length);
            instructions.Add(pickle[..length].ToArray());
            pickle = pickle[length..];
        }

        return instructions;
    }

    // Of the instructions that PyTorch writes: pickletools.py of CPython has the table.
    private static long ArgumentLength(ReadOnlySpan<byte> at)
    {
        var rest = at[1..];
        switch (at[0])
        {
            case 0x80 or (byte)'K' or (byte)'q' or (byte)'h': return 1;
            case (byte)'M': return 2;
            case (byte)'J' or (byte)'r' or (byte)'j': return 4;
            case (byte)'G' or 0x95: return 8;
            case 0x8a or 0x8c or (byte)'U' or (byte)'C': return rest.Length < 1 ? 0 : 1 + rest[0];
            case 0x8b or (byte)'X' or (byte)'T' or (byte)'B': return rest.Length < 4 ? 0 : 4 + (long)BinaryPrimitives.ReadUInt32LittleEndian(rest);
            case 0x8d or 0x8e or 0x96: return rest.Length < 8 ? 0 : 8 + (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(rest), int.MaxValue);
            case (byte)'c':
                int first = rest.IndexOf((byte)'\n');
                int second = first < 0 ? -1 : rest[(first + 1)..].IndexOf((byte)'\n');
                return second < 0 ? rest.Length : first + 1 + second + 1;
            default: return 0;
        }
    }
}
