using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>
/// Forward and backward with the graph cut between layers: backward goes through one layer after the other, and when it leaves one, that layer's
/// gradients are final. The bits are those of a backward through the whole graph: each layer's input gets the same summands in the same order.
/// </summary>
internal sealed class LayerwisePass
{
    private readonly GptNeoX _model;

    // Of the embedding and of each layer: what came out, and the same cut off, which the next layer took.
    private readonly (Tensor Made, Tensor Taken)[] _cuts;

    /// <summary>Forward through embedding, layers and final LayerNorm.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ids_BT">Token ids.</param>
    /// <param name="realKeys_BT">As <see cref="GptNeoX.Prepare"/> takes it.</param>
    public LayerwisePass(GptNeoX model, Tensor ids_BT, Tensor? realKeys_BT)
    {
        _model = model;
        _cuts = new (Tensor, Tensor)[model.LayerCount + 1];
        var batch = model.Prepare(ids_BT, realKeys_BT);
        _cuts[0] = Cut(model.Embed(ids_BT));
        for (int layer = 0; layer < model.LayerCount; layer++) _cuts[layer + 1] = Cut(model.RunLayer(layer, _cuts[layer].Taken, batch));
        HiddenStates = model.FinalNorm(_cuts[^1].Taken);
    }

    /// <summary>After the final LayerNorm, [B, T, D].</summary>
    public Tensor HiddenStates { get; }

    /// <summary>Backward, as it is enumerated: from where on in the flat vector all gradients are final, at last 0.</summary>
    /// <param name="loss">A scalar made of <see cref="HiddenStates"/>.</param>
    public IEnumerable<long> Backward(Tensor loss)
    {
        loss.backward();
        for (int layer = _model.LayerCount; layer >= 0; layer--)
        {
            yield return _model.ParametersFrom(layer);
            BackwardFrom(_cuts[layer]);
        }

        yield return 0;
    }

    private static (Tensor Made, Tensor Taken) Cut(Tensor made) => (made, made.detach().requires_grad_(true));

    private static void BackwardFrom((Tensor Made, Tensor Taken) cut)
    {
        using var scope = NewDisposeScope();
        cut.Made.backward([cut.Taken.grad!]);
        // Nobody needs them any more, and they are large.
        cut.Taken.grad = null;
        cut.Taken.Dispose();
        cut.Made.Dispose();
    }
}
