using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The few Python names that build containers and tensors, and what calling them means here. Every other name, called
/// with whatever arguments, gives a <see cref="PickleOpaque"/>: no code of the file's choosing ever runs.
/// </summary>
internal static class PickleGlobals
{
    private static readonly ImmutableArray<string> s_tensorMakers = ["torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"];

    private static readonly Dictionary<string, TensorElementType> s_storages = new(StringComparer.Ordinal)
    {
        ["torch.FloatStorage"] = TensorElementType.Float32,
        ["torch.HalfStorage"] = TensorElementType.Float16,
        ["torch.BFloat16Storage"] = TensorElementType.BFloat16,
        ["torch.DoubleStorage"] = TensorElementType.Float64,
        ["torch.LongStorage"] = TensorElementType.Int64,
        ["torch.IntStorage"] = TensorElementType.Int32,
        ["torch.ShortStorage"] = TensorElementType.Int16,
        ["torch.CharStorage"] = TensorElementType.Int8,
        ["torch.ByteStorage"] = TensorElementType.UInt8,
        ["torch.BoolStorage"] = TensorElementType.Bool,
    };

    // Not read, but passed over.
    private static readonly Dictionary<string, int> s_otherSizes = new(StringComparer.Ordinal)
    {
        ["torch.ComplexFloatStorage"] = 8,
        ["torch.ComplexDoubleStorage"] = 16,
        ["torch.QInt8Storage"] = 1,
        ["torch.QUInt8Storage"] = 1,
        ["torch.QInt32Storage"] = 4,
        ["torch.UntypedStorage"] = 1,
        ["torch.storage.UntypedStorage"] = 1,
    };

    /// <summary>The value of <c>callee(*arguments)</c>; null when a known name is called in an unknown way.</summary>
    public static object? Call(object? callee, PickleTuple arguments)
    {
        var name = (callee as PickleGlobal)?.Name;
        if (name is null) return new PickleOpaque((callee as PickleOpaque)?.Origin ?? "a value");
        switch (name)
        {
            case "collections.OrderedDict" when arguments.Items.Length == 0:
            case "builtins.dict" when arguments.Items.Length == 0:
            case "collections.defaultdict":
                return new PickleDictionary();
            case "builtins.set" or "__builtin__.set" or "builtins.frozenset" or "__builtin__.frozenset":
                return new PickleList();
            case "torch.Size":
                return arguments.Items is [PickleTuple size] ? size : null;
            case "torch._utils._rebuild_parameter" or "torch._utils._rebuild_parameter_with_state":
                return arguments.Items is [var data, ..] ? data ?? new PickleOpaque(name) : null;
            case "torch._tensor._rebuild_from_type_v2":
                // A tensor with Python attributes: (how, class, arguments, attributes). One level, so that nothing recurses.
                return arguments.Items is [PickleGlobal inner, _, PickleTuple innerArguments, ..] && s_tensorMakers.Contains(inner.Name)
                    ? RebuildTensor(innerArguments.Items)
                    : new PickleOpaque(name);
            default:
                return s_tensorMakers.Contains(name) ? RebuildTensor(arguments.Items) : new PickleOpaque(name);
        }
    }

    /// <summary>
    /// What a persistent id stands for: a storage, ('storage', class, key, device, elements) and before 1.6 also the view
    /// or None; or something inert for the source code of a module. Null when it is neither.
    /// </summary>
    public static object? Persistent(object? id)
    {
        if (id is PickleTuple { Items: ["module", PickleGlobal module, ..] }) return new PickleOpaque(module.Name);
        if (id is not PickleTuple { Items: ["storage", PickleGlobal kind, string key, string, long count, .. var rest] } || count < 0) return null;
        long offset = 0;
        switch (rest)
        {
            case [] or [null]:
                break;
            case [PickleTuple { Items: [string, long start, long size] }] when start >= 0 && size >= 0 && start <= count && size <= count - start:
                offset = start;
                break;
            default:
                return null;
        }

        return s_storages.TryGetValue(kind.Name, out var type)
            ? new PickleStorage(type, ElementConversion.SizeOf(type), key, count, offset)
            : new PickleStorage(null, s_otherSizes.GetValueOrDefault(kind.Name), key, count, offset);
    }

    // (storage, offset, size, stride, requires_grad, hooks, metadata); the older maker has the first four.
    private static object? RebuildTensor(object?[] arguments)
    {
        if (arguments is not [PickleStorage storage, long offset, PickleTuple size, PickleTuple stride, ..]) return null;
        if (Integers(size) is not { } shape || Integers(stride) is not { } strides || shape.Length != strides.Length) return null;
        // Metadata marks a view that is negated or conjugated when it is read.
        bool plain = arguments.Length < 7 || arguments[6] is null || arguments[6] is PickleDictionary { Items.Count: 0 };
        if (storage.ElementType is null || !plain) return new PickleOpaque("_rebuild_tensor_v2 for an unsupported kind of tensor");
        // Checked against the storage later.
        long start = offset < 0 ? offset : (long)Int128.Min((Int128)storage.ViewOffset + offset, long.MaxValue);
        return new PickleTensor(storage, start, shape, strides);
    }

    private static ImmutableArray<long>? Integers(PickleTuple tuple)
    {
        if (tuple.Items.Length > TensorDescription.MaximumRank) return null;
        var numbers = ImmutableArray.CreateBuilder<long>(tuple.Items.Length);
        foreach (var item in tuple.Items)
        {
            if (item is not long number) return null;
            numbers.Add(number);
        }

        return numbers.MoveToImmutable();
    }
}
