using System.Collections.Immutable;

namespace GenSlmOrleans.Formats.Tests;

public class StateDictNamesTests
{
    private static readonly ImmutableArray<TensorDescription> s_expected = GptNeoXStateDict.Describe(ModelPresets.Find("tiny")!);

    [Theory]
    [InlineData("")]
    [InlineData("model.")]
    [InlineData("model.model.")]
    [InlineData("module.model.")]
    [InlineData("_forward_module.model.")]
    public void Parameters_are_found_behind_the_prefixes_that_wrappers_leave_in_any_order(string prefix)
    {
        var file = s_expected.Reverse().Select(tensor => tensor with { Name = prefix + tensor.Name, ElementType = TensorElementType.Float16 })
            .Prepend(new(prefix + "gpt_neox.layers.0.attention.bias", TensorElementType.Bool, [1, 1, 8, 8]))
            .Append(Tensors.Float(prefix + "gpt_neox.layers.1.attention.rotary_emb.inv_freq", 2)).ToList();

        var match = StateDictNames.Match(file, s_expected, "w.pt");

        Assert.Equal(prefix, match.Prefix);
        Assert.Equal(s_expected.Select(tensor => prefix + tensor.Name), match.FileTensors.Select(place => file[place].Name));
        Assert.Equal([file[0].Name, file[^1].Name], match.IgnoredBuffers);
    }

    [Fact]
    public void The_first_tensor_of_another_shape_is_named_with_both_shapes()
    {
        var file = s_expected.Select(tensor => tensor.Name.Contains("layers.1.mlp.dense_h_to_4h") ? tensor with { Shape = [9, .. tensor.Shape[1..]] } : tensor).ToList();
        Refuse(file, "'gpt_neox.layers.1.mlp.dense_h_to_4h.weight' has shape [9, 64]; the configured model expects [256, 64]");
    }

    [Fact]
    public void The_first_missing_and_the_first_unexpected_tensor_are_named()
    {
        Refuse([.. s_expected.Where(tensor => tensor.Name != "gpt_neox.layers.1.attention.dense.bias")], "'gpt_neox.layers.1.attention.dense.bias' of shape [64] is missing");
        Refuse([.. s_expected.Where(tensor => !tensor.Name.Contains(".bias"))], "13 tensors are missing: 'gpt_neox.layers.0.input_layernorm.bias', 'gpt_neox.layers.0.post_attention_layernorm.bias', 'gpt_neox.layers.0.attention.query_key_value.bias', ….");
        Refuse([.. s_expected, Tensors.Float("gpt_neox.layers.2.input_layernorm.weight", 64)], "'gpt_neox.layers.2.input_layernorm.weight'");
        Refuse([.. s_expected, Tensors.Float("gpt_neox.layers.0.attention.biases", 64)], "attention.biases");
        Refuse([.. s_expected, Tensors.Float("optimizer.exp_avg", 64)], "optimizer.exp_avg");
    }

    [Fact]
    public void Nothing_is_guessed_when_names_are_ambiguous_or_of_another_model()
    {
        Refuse([.. s_expected, .. s_expected.Select(tensor => tensor with { Name = "model." + tensor.Name })], "could be the input embedding");
        Refuse([.. s_expected.Select(tensor => tensor with { Name = "teacher." + tensor.Name })], "the first named 'teacher.gpt_neox.embed_in.weight'");
        Refuse([Tensors.Float("transformer.wte.weight", 2, 2)], "GPT-NeoX causal language model is expected");
        Refuse([.. s_expected.Select(tensor => tensor with { ElementType = TensorElementType.Int8 })], "holds Int8");
    }

    private static void Refuse(IReadOnlyList<TensorDescription> file, string reason) =>
        Assert.Contains(reason, Assert.Throws<WeightFileException>(() => StateDictNames.Match(file, s_expected, "w.pt")).Message);
}
