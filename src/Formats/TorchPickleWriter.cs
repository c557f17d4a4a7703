using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes the pickle (protocol 2) of an OrderedDict of tensors, each in a storage of its own named by its place:
/// only instructions and names that torch.load accepts with <c>weights_only=True</c>.
/// </summary>
internal sealed class TorchPickleWriter
{
    private readonly ArrayBufferWriter<byte> _pickle = new();
    // What was written before and can be recalled, by its place in the reader's memo.
    private readonly Dictionary<string, byte> _memo = new(StringComparer.Ordinal);

    private TorchPickleWriter()
    {
    }

    public static byte[] Write(IReadOnlyList<TensorDescription> tensors)
    {
        var writer = new TorchPickleWriter();
        writer.Byte(0x80);
        writer.Byte(2);
        writer.EmptyOrderedDict();
        writer.Byte('(');
        for (int i = 0; i < tensors.Count; i++)
        {
            writer.Text(tensors[i].Name);
            writer.Tensor(i, tensors[i]);
        }

        writer.Byte('u');
        writer.Byte('.');
        return writer._pickle.WrittenSpan.ToArray();
    }

    // torch._utils._rebuild_tensor_v2(('storage', FloatStorage, key, 'cpu', elements), offset, size, stride, requires_grad, hooks)
    private void Tensor(int place, TensorDescription tensor)
    {
        Global("torch._utils", "_rebuild_tensor_v2");
        Byte('(');
        Byte('(');
        Recallable("storage", Text);
        Global("torch", tensor.ElementType switch
        {
            TensorElementType.Float16 => "HalfStorage",
            TensorElementType.BFloat16 => "BFloat16Storage",
            _ => "FloatStorage",
        });
        Text(place.ToString(CultureInfo.InvariantCulture));
        Recallable("cpu", Text);
        Integer(tensor.ElementCount);
        Byte('t');
        Byte('Q');
        Integer(0);
        Integers(tensor.Shape);
        Integers(RowMajorStrides(tensor.Shape));
        Byte(0x89);
        EmptyOrderedDict();
        Byte('t');
        Byte('R');
    }

    private static ImmutableArray<long> RowMajorStrides(ImmutableArray<long> shape)
    {
        var strides = new long[shape.Length];
        long stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(shape[i], 1);
        }

        return [.. strides];
    }

    private void EmptyOrderedDict()
    {
        Global("collections", "OrderedDict");
        Byte(')');
        Byte('R');
    }

    private void Global(string module, string name) => Recallable($"{module}\n{name}\n", text =>
    {
        Byte('c');
        _pickle.Write(Encoding.ASCII.GetBytes(text));
    });

    private void Recallable(string text, Action<string> write)
    {
        if (_memo.TryGetValue(text, out byte place))
        {
            Byte('h');
            Byte(place);
            return;
        }

        write(text);
        place = (byte)_memo.Count;
        _memo.Add(text, place);
        Byte('q');
        Byte(place);
    }

    private void Integers(ImmutableArray<long> numbers)
    {
        Byte('(');
        foreach (long number in numbers) Integer(number);
        Byte('t');
    }

    // The shortest instruction, as Python's pickler chooses.
    private void Integer(long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        switch (number)
        {
            case >= 0 and <= byte.MaxValue:
                Byte('K');
                _pickle.Write(bytes[..1]);
                break;
            case >= 0 and <= ushort.MaxValue:
                Byte('M');
                _pickle.Write(bytes[..2]);
                break;
            case >= int.MinValue and <= int.MaxValue:
                Byte('J');
                _pickle.Write(bytes[..4]);
                break;
            default:
                Byte(0x8a);
                Byte(8);
                _pickle.Write(bytes);
                break;
        }
    }

    private void Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        Byte('X');
        _pickle.Write(length);
        _pickle.Write(bytes);
    }

    private void Byte(int value) => _pickle.Write([(byte)value]);
}
