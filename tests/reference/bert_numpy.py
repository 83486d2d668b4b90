"""The forward pass of BERT and MPNet in NumPy, float64, from the papers (arXiv 1810.04805, 1706.03762, 2004.09297).

It shares nothing with the package: it reads the files itself and knows only Hugging Face's names of tensors.
"""

import json
import math
from pathlib import Path

import numpy as np

# The error function, interpolated between so many points that it is right to ten digits.
_GRID = np.linspace(-6.0, 6.0, 200_001)
_ERF = np.array([math.erf(x) for x in _GRID])


def read_safetensors(path):
    """Every tensor of a file, as float64: eight bytes of header length, a JSON header, the numbers."""
    raw = Path(path).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = _floats(raw[start + begin : start + end], entry["dtype"]).reshape(entry["shape"])
    return tensors


def _floats(raw, kind):
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4").astype(np.float64)
    return np.frombuffer(raw, {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}[kind]).astype(np.float64)


def gelu_exact(x):
    return x * 0.5 * (1.0 + np.interp(x / math.sqrt(2.0), _GRID, _ERF))


def gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


GELU = {"gelu": gelu_exact, "gelu_new": gelu_tanh}


def layer_norm(x, scale, shift, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * scale + shift


def masked_softmax(scores, key_is_token):
    """Softmax over the keys that are tokens; padding gets 0."""
    exponentials = np.exp(scores - scores.max(-1, keepdims=True)) * key_is_token
    return exponentials / exponentials.sum(-1, keepdims=True)


def forward(folder, token_ids, segment_ids, padding_mask):
    """The forward pass of a model folder.

    Args: three integer arrays `[batch, length]`.

    Returns: a dict: `hidden_states`, the embedding output and each layer's output `[batch, length, hidden]`;
    `attention_scores` `[batch, heads, query, key]` before mask and softmax; `pooled_output` `[batch, hidden]`;
    `logits` `[batch, classes]`; the last two only if the folder has the weights.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    tensors = {_plain(name): value for name, value in read_safetensors(folder / "model.safetensors").items()}
    epsilon = config.get("layer_norm_eps", 1e-12)

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x, name):
        return layer_norm(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon)

    length, bias = token_ids.shape[1], np.zeros(config["num_attention_heads"])
    if config["model_type"] == "mpnet":
        tensors = {_bert_name(name): value for name, value in tensors.items()}
        token_ids = mpnet_ids(token_ids)
        tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][2:]
        bias = mpnet_bias(tensors["encoder.relative_attention_bias.weight"], length)
    hidden = tensors["embeddings.word_embeddings.weight"][token_ids]
    hidden = hidden + tensors["embeddings.position_embeddings.weight"][:length]
    if "embeddings.token_type_embeddings.weight" in tensors:
        hidden = hidden + tensors["embeddings.token_type_embeddings.weight"][segment_ids]
    hidden = norm(hidden, "embeddings.LayerNorm")
    outputs = {"hidden_states": [hidden], "attention_scores": []}
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        context, scores = attention(hidden, padding_mask, bias, linear, f"{layer}.attention")
        hidden = norm(
            hidden + linear(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm"
        )
        inner = GELU[config["hidden_act"]](linear(hidden, f"{layer}.intermediate.dense"))
        hidden = norm(hidden + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        outputs["hidden_states"].append(hidden)
        outputs["attention_scores"].append(scores)
    if "pooler.dense.weight" in tensors:
        outputs["pooled_output"] = np.tanh(linear(hidden[:, 0], "pooler.dense"))
    if "classifier.weight" in tensors:
        outputs["logits"] = linear(outputs["pooled_output"], "classifier")
    return outputs


def mpnet_ids(token_ids):
    """BERT's ids in MPNet's vocabulary: four later, and special tokens of its own."""
    special = {0: 1, 101: 0, 102: 2, 103: 30526}  # [PAD] [CLS] [SEP] [MASK]: <pad> <s> </s> <mask>
    return np.vectorize(lambda number: special.get(number, number + 4))(token_ids)


def mpnet_bias(table, length):
    """T5's bias `[heads, query, key]`: 32 buckets, 8 exact distances each way, then 8 up to 128, logarithmically."""
    bias = np.zeros((table.shape[1], length, length))
    for query in range(length):
        for key in range(length):
            distance = abs(key - query)
            if distance >= 8:
                distance = min(15, 8 + int(math.log(distance / 8) / math.log(16) * 8 + 1e-9))
            bias[:, query, key] = table[distance + (16 if key > query else 0)]
    return bias


def attention(hidden, padding_mask, bias, linear, name):
    """The heads' contexts side by side `[batch, length, hidden]`, and their scores `[batch, heads, query, key]`."""
    query, key, value = (linear(hidden, f"{name}.self.{part}") for part in ("query", "key", "value"))
    width = hidden.shape[-1] // len(bias)
    contexts, all_scores = [], []
    for head in range(len(bias)):
        part = slice(head * width, (head + 1) * width)
        scores = query[..., part] @ key[..., part].swapaxes(1, 2) / math.sqrt(width) + bias[head]
        weights = masked_softmax(scores, np.asarray(padding_mask)[:, None, :])
        contexts.append(weights @ value[..., part])
        all_scores.append(scores)
    return np.concatenate(contexts, -1), np.stack(all_scores, 1)


def _bert_name(name):
    """BERT's name of an MPNet's tensor."""
    name = name.replace("attention.attn.o.", "attention.output.dense.")
    name = name.replace("attention.LayerNorm.", "attention.output.LayerNorm.")
    for theirs, ours in (("q", "query"), ("k", "key"), ("v", "value")):
        name = name.replace(f"attention.attn.{theirs}.", f"attention.self.{ours}.")
    return name


def _plain(name):
    """Names without the `bert.` prefix and with LayerNorm's newer names."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
