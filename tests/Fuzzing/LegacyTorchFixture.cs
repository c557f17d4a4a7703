using System.Buffers.Binary;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Files of PyTorch's format from before 1.6, written by hand.</summary>
public static class LegacyTorchFixture
{
    /// <summary>As the tensors of archives, with the view of its storage, or None, at the end of the persistent id.</summary>
    public static TorchFixture Tensor(
        TorchFixture fixture, string kind, string key, long elements, long offset, long[] shape, long[] strides, (long Start, long Count)? part = null)
    {
        fixture.Global("torch._utils", "_rebuild_tensor_v2").Op('(');
        fixture.Op('(').Text("storage").Global("torch", kind).Text(key).Text("cpu").Integer(elements);
        if (part is var (start, count)) fixture.Op('(').Text(key + "-view").Integer(start).Integer(count).Op('t');
        else fixture.Op('N');
        fixture.Op('t').Op('Q');
        return fixture.Integer(offset).Integers(shape).Integers(strides).Bytes(0x89).OrderedDict().Op('t').Op('R');
    }

    /// <summary>A whole file.</summary>
    public static byte[] File(TorchFixture value, params (string Key, byte[] Content)[] storages) => File(value, storages, 1001);

    /// <summary>A whole file whose frame may be wrong.</summary>
    public static byte[] File(TorchFixture value, (string Key, byte[] Content)[] storages, long version = 1001, bool littleEndian = true, long? stated = null) =>
        [.. Pickles(value, [.. storages.Select(storage => storage.Key)], version, littleEndian).SelectMany(pickle => pickle), .. Contents(storages, stated)];

    /// <summary>The five pickles in front of the storages.</summary>
    public static byte[][] Pickles(TorchFixture value, string[] storageKeys, long version = 1001, bool littleEndian = true)
    {
        var keys = new TorchFixture().Op(']').Op('(');
        foreach (var key in storageKeys) keys.Text(key);
        return
        [
            new TorchFixture().Bytes(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19).Op('.').Pickle,
            new TorchFixture().Integer(version).Op('.').Pickle,
            new TorchFixture().Op('}').Text("little_endian").Bytes(littleEndian ? (byte)0x88 : (byte)0x89).Op('s').Op('.').Pickle,
            value.Pickle,
            keys.Op('e').Op('.').Pickle,
        ];
    }

    /// <summary>The storages: 16 bytes are two complex numbers, 2 are one half, else they are fp32.</summary>
    public static byte[] Contents((string Key, byte[] Content)[] storages, long? stated = null)
    {
        var bytes = new List<byte>();
        foreach (var (_, content) in storages)
        {
            var count = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(count, stated ?? content.Length switch { 16 => 2, 2 => 1, var length => length / 4 });
            bytes.AddRange(count);
            bytes.AddRange(content);
        }

        return [.. bytes];
    }
}
