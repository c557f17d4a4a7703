using System.Runtime.InteropServices;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Valid weight files, small, that together have every part the readers know.</summary>
internal static class WeightSeeds
{
    /// <summary>A state dict of PyTorch with views, an expanded, a transposed, an empty and a half-precision tensor.</summary>
    public static TorchFixture Views()
    {
        var fixture = new TorchFixture().Op('}').Op('(').Text("epoch").Integer(1).Text("state_dict").OrderedDict().Op('(');
        var key = fixture.Storage(Noise(96));
        fixture.Text("rows").Tensor("FloatStorage", key, 24, 0, [4, 6], [6, 1]).Text("columns").Tensor("FloatStorage", key, 24, 1, [3, 5], [1, 3]);
        fixture.Text("halves").Tensor("HalfStorage", fixture.Storage(Noise(32)), 16, 2, [2, 2, 2], [0, 1, 4]);
        fixture.Text("empty").Tensor("DoubleStorage", fixture.Storage([]), 0, 0, [0, 3], [3, 1]).Text("flag").Tensor("BoolStorage", fixture.Storage([1]), 1, 0, [], []);
        return fixture.Op('u').Op('u').Op('.');
    }

    /// <summary>A Parameter, values remembered and recalled, protocol 4's instructions.</summary>
    public static TorchFixture Remembered()
    {
        var fixture = new TorchFixture().Bytes(0x80, 4).OrderedDict().Bytes(0x94).Op('(').Bytes(0x8c, 1, (byte)'a').Bytes(0x94);
        fixture.Global("torch._utils", "_rebuild_parameter").Op('q').Bytes(7).Op('(');
        fixture.Tensor("FloatStorage", fixture.Storage(Noise(16)), 4, 0, [2, 2], [2, 1]).Bytes(0x88).OrderedDict().Op('t').Op('R').Bytes(0x94);
        return fixture.Text("b").Op('h').Bytes(3).Op('u').Op('.');
    }

    /// <summary>The fixture of the format before 1.6, and its storages.</summary>
    public static (TorchFixture Value, (string Key, byte[] Content)[] Storages) Legacy()
    {
        var state = new TorchFixture().OrderedDict().Op('(');
        LegacyTorchFixture.Tensor(state.Text("rows"), "FloatStorage", "7", 12, 0, [3, 4], [4, 1]);
        LegacyTorchFixture.Tensor(state.Text("columns"), "FloatStorage", "7", 12, 1, [4, 2], [1, 4]);
        LegacyTorchFixture.Tensor(state.Text("part"), "FloatStorage", "7", 12, 1, [3], [1], part: (8, 4));
        LegacyTorchFixture.Tensor(state.Text("half"), "HalfStorage", "8", 1, 0, [1], [1]);
        return (state.Op('u').Op('.'), [("7", Noise(48)), ("8", Noise(2))]);
    }

    /// <summary>Safetensors with tensors of several types and some metadata.</summary>
    public static byte[] Safetensors(params ReadOnlySpan<string> names)
    {
        TensorDescription[] tensors = names.Length > 0
            ? [.. names.ToArray().Select(name => new TensorDescription(name, TensorElementType.Float32, [2, 3]))]
            :
            [
                new("scalar", TensorElementType.Float32, []), new("vector", TensorElementType.Float32, [5]), new("empty", TensorElementType.Float32, [0, 7]),
                new("matrix \"ü\"", TensorElementType.Float32, [4, 3]), new("cube", TensorElementType.Float32, [2, 3, 4]),
            ];
        using var stream = new MemoryStream();
        using var writer = new SafetensorsWriter(stream, tensors, new Dictionary<string, string> { ["format"] = "pt" });
        writer.Write(MemoryMarshal.Cast<byte, float>(Noise((int)tensors.Sum(tensor => tensor.ElementCount) * sizeof(float))));
        writer.Complete();
        return stream.ToArray();
    }

    /// <summary>A whole model, tiny, so that the names that models have are damaged too.</summary>
    public static byte[] Model()
    {
        var config = ModelPresets.Find("tiny")! with { HiddenSize = 8, HeadCount = 2, LayerCount = 1, IntermediateSize = 8, VocabularySize = 5 };
        var tensors = GptNeoXStateDict.Describe(config);
        using var stream = new MemoryStream();
        using var writer = new SafetensorsWriter(stream, tensors);
        writer.Write(MemoryMarshal.Cast<byte, float>(Noise((int)GptNeoXStateDict.ParameterCount(config) * sizeof(float))));
        writer.Complete();
        return stream.ToArray();
    }

    private static byte[] Noise(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }
}
