"""The forward pass of BERT and its relatives in NumPy, float64, from the papers (arXiv 1810.04805, 1706.03762;
MPNet 2004.09297, DistilBERT 1910.01108, ELECTRA 2003.10555).

It shares nothing with the package: it reads the files itself and knows only Hugging Face's names of tensors.
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy.special import erf


def read_safetensors(path):
    """Every tensor of a file in its own type: eight bytes of header length, a JSON header, the numbers.

    The numbers stay in the mapped file until they are used: most rows of a table of tokens never are.
    """
    raw = np.memmap(path, np.uint8, "r")
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    header = json.loads(raw[8:start].tobytes())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = _numbers(raw[start + begin : start + end], entry["dtype"]).reshape(entry["shape"])
    return tensors


def _numbers(raw, kind):
    if kind == "BF16":  # the upper half of a float32
        return (raw.view("<u2").astype("<u4") << 16).view("<f4")
    return raw.view({"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}[kind])


def gelu_exact(x):
    return x * 0.5 * (1.0 + erf(x / math.sqrt(2.0)))


def gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


DISTILBERT_CONFIG = {"dim": "hidden_size", "n_heads": "num_attention_heads", "n_layers": "num_hidden_layers"}
DISTILBERT_CONFIG |= {"hidden_dim": "intermediate_size", "activation": "hidden_act"}
GELU = {"gelu": gelu_exact, "gelu_new": gelu_tanh}
# What follows the first layer of the head where it is not a tanh.
POOLING = {"distilbert": lambda x: np.maximum(x, 0.0), "electra": gelu_exact}


def layer_norm(x, scale, shift, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * scale + shift


def masked_softmax(scores, key_is_token):
    """Softmax over the keys that are tokens; padding gets 0."""
    exponentials = np.exp(scores - scores.max(-1, keepdims=True)) * key_is_token
    return exponentials / exponentials.sum(-1, keepdims=True)


def forward(folder, token_ids, segment_ids, padding_mask):
    """The forward pass of a model folder: `run` on what `read_model` reads."""
    return run(*read_model(folder), token_ids, segment_ids, padding_mask)


def read_model(folder):
    """The contents of `config.json`, and every tensor under the name that a plain BERT gives it."""
    config = json.loads((Path(folder) / "config.json").read_text())
    tensors = {_plain(name): value for name, value in read_safetensors(Path(folder) / "model.safetensors").items()}
    if config["model_type"] == "mpnet":
        tensors = {_bert_name(name): value for name, value in tensors.items()}
        tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][2:]
    if config["model_type"] == "distilbert":
        config |= {theirs: config[own] for own, theirs in DISTILBERT_CONFIG.items()}
        tensors = {_bert_name_of_distilbert(name): value for name, value in tensors.items()}
    if config["model_type"] == "electra":
        heads = {"classifier.dense": "pooler.dense", "classifier.out_proj": "classifier"}
        tensors = {
            heads.get(name.rpartition(".")[0], name.rpartition(".")[0]) + name[name.rindex(".") :]: value
            for name, value in tensors.items()
        }
    return config, tensors


def run(config, tensors, token_ids, segment_ids, padding_mask):
    """The forward pass of a model.

    Args:
        config: The contents of `config.json`.
        tensors: Arrays by BERT's names.
        token_ids, segment_ids, padding_mask: Integers `[batch, length]`.

    Returns: a dict: `hidden_states`, the embedding output and each layer's output `[batch, length, hidden]`;
    `attention_scores` `[batch, heads, query, key]` before mask and softmax; `pooled_output` `[batch, hidden]`;
    `logits` `[batch, classes]`; `span_logits` `[batch, length, 2]`, start and end; the last three only if there are
    weights for them.
    """
    epsilon = config.get("layer_norm_eps", 1e-12)

    def rows(name, which):
        return tensors[f"embeddings.{name}_embeddings.weight"][which].astype(np.float64, copy=False)

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T.astype(np.float64, copy=False) + tensors[f"{name}.bias"]

    def norm(x, name):
        return layer_norm(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon)

    heads, length, bias = config["num_attention_heads"], token_ids.shape[1], 0.0
    if config["model_type"] == "mpnet":
        token_ids = mpnet_ids(token_ids)
        bias = mpnet_bias(tensors["encoder.relative_attention_bias.weight"].astype(np.float64), length)
    hidden = rows("word", token_ids) + rows("position", slice(length))
    if "embeddings.token_type_embeddings.weight" in tensors:
        hidden = hidden + rows("token_type", segment_ids)
    hidden = norm(hidden, "embeddings.LayerNorm")
    if "embeddings_project.weight" in tensors:
        hidden = linear(hidden, "embeddings_project")
    outputs = {"hidden_states": [hidden], "attention_scores": []}
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        context, scores = attention(hidden, padding_mask, heads, bias, linear, f"{layer}.attention")
        hidden = norm(
            hidden + linear(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm"
        )
        inner = GELU[config["hidden_act"]](linear(hidden, f"{layer}.intermediate.dense"))
        hidden = norm(hidden + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        outputs["hidden_states"].append(hidden)
        outputs["attention_scores"].append(scores)
    if "pooler.dense.weight" in tensors:
        outputs["pooled_output"] = POOLING.get(config["model_type"], np.tanh)(linear(hidden[:, 0], "pooler.dense"))
    if "classifier.weight" in tensors:
        outputs["logits"] = linear(outputs["pooled_output"], "classifier")
    if "qa_outputs.weight" in tensors:
        outputs["span_logits"] = linear(hidden, "qa_outputs")
    return outputs


def mpnet_ids(token_ids):
    """BERT's ids in MPNet's vocabulary: four later, and special tokens of its own."""
    special = {0: 1, 101: 0, 102: 2, 103: 30526}  # [PAD] [CLS] [SEP] [MASK]: <pad> <s> </s> <mask>
    return np.vectorize(lambda number: special.get(number, number + 4))(token_ids)


def mpnet_bias(table, length):
    """T5's bias `[heads, query, key]`: 32 buckets, 8 exact distances each way, then 8 up to 128, logarithmically."""
    buckets = []
    for offset in range(1 - length, length):  # from query to key
        distance = abs(offset)
        if distance >= 8:
            distance = min(15, 8 + int(math.log(distance / 8) / math.log(16) * 8 + 1e-9))
        buckets.append(distance + (16 if offset > 0 else 0))
    places = np.arange(length)
    offsets = places[None, :] - places[:, None]
    return table[np.array(buckets)[offsets + length - 1]].transpose(2, 0, 1)


def attention(hidden, padding_mask, heads, bias, linear, name):
    """The heads' contexts side by side `[batch, length, hidden]`, and their scores `[batch, heads, query, key]`."""
    batch, length, width = hidden.shape

    def by_head(part):
        return linear(hidden, f"{name}.self.{part}").reshape(batch, length, heads, -1).swapaxes(1, 2)

    scores = by_head("query") @ by_head("key").swapaxes(2, 3) / math.sqrt(width // heads) + bias
    weights = masked_softmax(scores, np.asarray(padding_mask)[:, None, None, :])
    return (weights @ by_head("value")).swapaxes(1, 2).reshape(batch, length, width), scores


def _bert_name(name):
    """BERT's name of an MPNet's tensor."""
    name = name.replace("attention.attn.o.", "attention.output.dense.")
    name = name.replace("attention.LayerNorm.", "attention.output.LayerNorm.")
    for theirs, ours in (("q", "query"), ("k", "key"), ("v", "value")):
        name = name.replace(f"attention.attn.{theirs}.", f"attention.self.{ours}.")
    return name


def _bert_name_of_distilbert(name):
    for theirs, ours in (
        ("transformer.layer.", "encoder.layer."),
        ("attention.q_lin.", "attention.self.query."),
        ("attention.k_lin.", "attention.self.key."),
        ("attention.v_lin.", "attention.self.value."),
        ("attention.out_lin.", "attention.output.dense."),
        ("sa_layer_norm.", "attention.output.LayerNorm."),
        ("ffn.lin1.", "intermediate.dense."),
        ("ffn.lin2.", "output.dense."),
        ("output_layer_norm.", "output.LayerNorm."),
        ("pre_classifier.", "pooler.dense."),
    ):
        name = name.replace(theirs, ours)
    return name


def _plain(name):
    """Names without the prefix of the encoder and with LayerNorm's newer names."""
    name = name.removeprefix("bert.").removeprefix("distilbert.").removeprefix("electra.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
