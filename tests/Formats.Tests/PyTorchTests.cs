using System.Globalization;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Both directions against a real PyTorch.</summary>
public class PyTorchTests
{
    [Theory]
    [InlineData("True")]
    [InlineData("False")]
    public void PyTorch_loads_an_OrderedDict_with_the_same_bits(string weightsOnly)
    {
        using var folder = new TemporaryFolder();
        TensorDescription[] tensors = [.. Tensors.Mixed, Tensors.Float("wide", 3, 70_000), Tensors.Float("gpt_neox.embed_in.weight", 69, 64)];
        var values = Tensors.Values(Tensors.Count(tensors));
        var path = folder.File("best_model_state_dict.pth", Tensors.Archive("best_model_state_dict", tensors, values));

        var lines = Python.Run(
            $$"""
            import collections, sys, torch
            state = torch.load(sys.argv[1], weights_only={{weightsOnly}})
            assert type(state) is collections.OrderedDict, type(state)
            for name, tensor in state.items():
                assert tensor.dtype == torch.float32 and tensor.is_contiguous() and not tensor.requires_grad
                assert tensor.storage_offset() == 0 and tensor.device.type == 'cpu'
                print(ascii(name), list(tensor.shape), *['%08x' % (bits & 0xffffffff) for bits in tensor.view(torch.int32).flatten().tolist()] if tensor.dim() else
                      ['%08x' % (tensor.reshape(1).view(torch.int32)[0].item() & 0xffffffff)], sep='|')
            """, path);

        Assert.Equal(tensors.Length, lines.Length);
        int start = 0;
        foreach (var (tensor, line) in tensors.Zip(lines))
        {
            var fields = line.Split('|');
            Assert.Equal($"'{tensor.Name.Replace("ü", "\\xfc")}'", fields[0]);
            Assert.Equal(tensor.ShapeText, fields[1]);
            var loaded = fields[2..].Where(field => field.Length > 0).Select(FromBits).ToArray();
            Tensors.EqualBits(values.AsSpan(start, (int)tensor.ElementCount), loaded, tensor.Name);
            start += loaded.Length;
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void What_PyTorch_saves_with_any_pickle_protocol_is_read(int protocol)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("saved.pt");

        var lines = Python.Run(
            """
            import collections, pathlib, sys, torch
            torch.manual_seed(7)
            base = torch.randn(6, 8)
            module = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.LayerNorm(3))
            tagged = torch.nn.Parameter(torch.randn(3))
            tagged.tag = 'attribute'
            state = collections.OrderedDict(whole=base, transposed=base.t(), part=base[1:5:2, 2:7:3], row=base[3], scalar=torch.tensor(1.25),
                half=base.half(), bf16=base.bfloat16(), double=base.double(), expanded=base[0].expand(3, 8), permuted=base.view(2, 3, 8).permute(2, 0, 1),
                parameter=torch.nn.Parameter(base[:2]), tagged=tagged, empty=torch.zeros(0, 4), **module.state_dict())
            options = dict(path=pathlib.Path('/data'), sizes=base.shape, names={'a', 'b'}, lr=1e-5, many=list(range(3000)), dtype=torch.float16,
                default=collections.defaultdict(list, a=[1]), big=1 << 100, raw=b'bytes', none=None, device=torch.device('cpu'))
            torch.save({'epoch': 3, 'hyper_parameters': options, 'state_dict': state}, sys.argv[1], pickle_protocol=int(sys.argv[2]))
            for name, tensor in state.items():
                print(name, list(tensor.shape), *['%08x' % (bits & 0xffffffff) for bits in tensor.detach().float().contiguous().reshape(-1).view(torch.int32).tolist()], sep='|')
            """, path, protocol.ToString(CultureInfo.InvariantCulture));

        using var file = TorchArchive.Open(path);
        file.VerifyChecksums();
        Assert.Equal(lines.Length, file.Tensors.Count);
        foreach (var line in lines)
        {
            var fields = line.Split('|');
            int tensor = file.IndexOf(fields[0]);
            Assert.Equal(fields[1], file.Tensors[tensor].ShapeText);
            Tensors.EqualBits([.. fields[2..].Where(field => field.Length > 0).Select(FromBits)], file.Read(tensor), fields[0]);
        }

        Assert.Equal("3", file.Metadata["epoch"]);
    }

    [Theory]
    [InlineData("out.pth", TensorElementType.Float16, "True")]
    [InlineData("out.pth", TensorElementType.BFloat16, "False")]
    [InlineData("out.pt", TensorElementType.BFloat16, "True")]
    public void PyTorch_rounds_to_16_bits_as_we_do(string name, TensorElementType type, string weightsOnly)
    {
        using var folder = new TemporaryFolder();
        var input = SharedFolder.File("reference", "published", "state-dict-metadata.pth");
        WeightConversion.Run(input, folder.File(name), new ConversionOptions { ElementType = type });
        var lines = Python.Run(
            $$"""
            import sys, torch
            ours, source = torch.load(sys.argv[1], weights_only={{weightsOnly}}), torch.load(sys.argv[2])
            for name, tensor in ours.items():
                assert tensor.dtype == torch.{{(type == TensorElementType.Float16 ? "float16" : "bfloat16")}}
                print(torch.equal(tensor.view(torch.int16), source[name].to(tensor.dtype).view(torch.int16)))
            """, folder.File(name), input);
        Assert.Equal(Enumerable.Repeat("True", 28), lines);
    }

    [Fact]
    public void Python_reads_every_file_of_a_sharded_folder()
    {
        using var folder = new TemporaryFolder();
        var input = SharedFolder.File("reference", "published", "zero3.pt");
        WeightConversion.Run(input, folder.File("hf"), new ConversionOptions { LargestShard = 30_000 });
        // Where there is no package safetensors, by the format's own rule: a length, a JSON header, the data.
        var lines = Python.Run(
            """
            import json, os, struct, sys, torch
            def parse(path):
                data = open(path, 'rb').read()
                length, = struct.unpack('<Q', data[:8])
                header = json.loads(data[8:8 + length])
                assert header.pop('__metadata__') == {'format': 'pt'}
                return {name: torch.frombuffer(bytearray(data[8 + length + entry['data_offsets'][0]:8 + length + entry['data_offsets'][1]]),
                    dtype=torch.float32).reshape(entry['shape']) for name, entry in header.items()}
            try:
                from safetensors.torch import load_file as parse
            except ImportError:
                pass
            weight_map = json.load(open(os.path.join(sys.argv[1], 'model.safetensors.index.json')))['weight_map']
            state = {}
            for name in sorted(set(weight_map.values())):
                part = parse(os.path.join(sys.argv[1], name))
                assert all(weight_map[tensor] == name for tensor in part)
                state.update(part)
            source = torch.load(sys.argv[2])['state_dict']
            print(len(state), all(torch.equal(tensor, source[name]) for name, tensor in state.items()))
            print(json.load(open(os.path.join(sys.argv[1], 'config.json')))['num_attention_heads'])
            """, folder.File("hf"), input);
        Assert.Equal(["28 True", "2"], lines);
    }

    private static float FromBits(string digits) =>
        BitConverter.UInt32BitsToSingle(uint.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
}
