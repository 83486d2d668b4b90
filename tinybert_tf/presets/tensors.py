"""The weights of a BERT under Hugging Face's names, and the safetensors files they live in."""

from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.models.classifier import BertClassifier
from tinybert_tf.models.encoder import BertEncoder
from tinybert_tf.models.masked_lm import BertMaskedLM

WEIGHTS_FILE = "model.safetensors"
SHARD_INDEX_FILE = "model.safetensors.index.json"
FLOAT_TYPES = ("F64", "F32", "F16", "BF16")

# Hugging Face's names of the two parameters of every kind of layer, ours beside them, and whether the
# matrix is stored transposed ([out, in] in PyTorch).
DENSE = (("weight", "kernel", True), ("bias", "bias", False))
NORM = (("weight", "gamma", False), ("bias", "beta", False))
TABLE = (("weight", "embeddings", False),)
OUTPUT_BIAS = (("bias", "output_bias", False),)


def encoder_layers(encoder: BertEncoder):
    """Yields (Hugging Face prefix, our layer, its parameters) for every layer that holds weights."""
    tables = encoder.embeddings
    yield "embeddings.word_embeddings", tables.token_embedding, TABLE
    yield "embeddings.position_embeddings", tables.position_embedding, TABLE
    if tables.segment_embedding is not None:
        yield "embeddings.token_type_embeddings", tables.segment_embedding, TABLE
    if encoder.position_bias is not None:
        yield "encoder.relative_attention_bias", encoder.position_bias.table, TABLE
    yield "embeddings.LayerNorm", tables.layer_norm, NORM
    for i, block in enumerate(encoder.blocks):
        prefix, attention = f"encoder.layer.{i}", block.attention
        yield f"{prefix}.attention.self.query", attention.query_dense, DENSE
        yield f"{prefix}.attention.self.key", attention.key_dense, DENSE
        yield f"{prefix}.attention.self.value", attention.value_dense, DENSE
        yield f"{prefix}.attention.output.dense", attention.output_dense, DENSE
        yield f"{prefix}.attention.output.LayerNorm", block.attention_norm, NORM
        yield f"{prefix}.intermediate.dense", block.intermediate_dense, DENSE
        yield f"{prefix}.output.dense", block.output_dense, DENSE
        yield f"{prefix}.output.LayerNorm", block.output_norm, NORM
    yield "pooler.dense", encoder.pooler, DENSE


def head_layers(model: BertClassifier | BertMaskedLM):
    """As `encoder_layers`, for what stands on the encoder. The masked LM's product with the token table is tied."""
    if isinstance(model, BertClassifier):
        yield "classifier", model.classifier, DENSE
    else:
        yield "cls.predictions.transform.dense", model.transform, DENSE
        yield "cls.predictions.transform.LayerNorm", model.transform_norm, NORM
        yield "cls.predictions", model, OUTPUT_BIAS


def model_layers(model: BertEncoder | BertClassifier | BertMaskedLM):
    """As `encoder_layers`, for any kind of model. A masked LM has no pooler."""
    if isinstance(model, BertEncoder):
        yield from encoder_layers(model)
        return
    for prefix, layer, parameters in encoder_layers(model.encoder):
        if prefix != "pooler.dense" or isinstance(model, BertClassifier):
            yield f"bert.{prefix}", layer, parameters
    yield from head_layers(model)


class Weights:
    """The tensors of a model folder by Hugging Face name, whatever prefix and LayerNorm naming it uses.

    Args:
        folder: holds `model.safetensors`, or `model.safetensors.index.json` and the files that it names.
        argument: what errors call the folder.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """

    def __init__(self, folder: Path, argument: str = "preset"):
        self.folder, self.argument = folder, argument
        names = [WEIGHTS_FILE]
        if not (folder / WEIGHTS_FILE).is_file() and (folder / SHARD_INDEX_FILE).is_file():
            shards = read_json(folder / SHARD_INDEX_FILE, argument).get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise InputError(argument, f"{folder / SHARD_INDEX_FILE} without weight_map", "an index of shards")
            names = sorted({Path(str(name)).name for name in shards.values()})
        self._tensors = {}
        for name in names:
            file = self._open(folder / name)
            self._tensors |= dict.fromkeys(file.keys(), (folder / name, file))

    def _open(self, path: Path):
        if not path.is_file():
            raise InputError(self.argument, f"no file {path}", "weights as safetensors: pickled ones are not read")
        try:
            return safetensors.safe_open(path, framework="numpy")
        except (safetensors.SafetensorError, OSError) as error:
            raise InputError(self.argument, f"{path}, which cannot be read ({error})", "a safetensors file") from None

    def find(self, name: str) -> str | None:
        """Returns the stored name of a tensor, or None."""
        plain = name.removeprefix("bert.")
        candidates = [name, plain, f"bert.{plain}"]
        for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
            candidates += [c.replace(new, old) for c in candidates if c.endswith(new)]
        return next((c for c in candidates if c in self._tensors), None)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Returns the shape of a tensor as it is stored, or None if there is none of that name."""
        stored = self.find(name)
        return stored and tuple(self._tensors[stored][1].get_slice(stored).get_shape())

    def read(self, name: str, shape) -> np.ndarray:
        """Returns a tensor as float32.

        Raises:
            InputError: it is missing, has another shape, or does not hold floats.
        """
        stored = self.find(name)
        if stored is None:
            raise InputError(
                self.argument, f"weights in {self.folder} without {name}", "every weight of the configured model"
            )
        path, file = self._tensors[stored]
        view = file.get_slice(stored)
        if tuple(view.get_shape()) != tuple(shape):
            got = f"{path} with {stored} of shape {tuple(view.get_shape())}"
            raise InputError(self.argument, got, f"{tuple(shape)}, as config.json says")
        if view.get_dtype() not in FLOAT_TYPES:
            got = f"{path} with {stored} of type {view.get_dtype()}"
            raise InputError(self.argument, got, f"one of {', '.join(FLOAT_TYPES)}")
        return file.get_tensor(stored).astype(np.float32)

    def assign(self, layers, optional=()) -> None:
        """Reads the weights of (prefix, layer, parameters) triples; layers in `optional` may be missing whole."""
        for prefix, layer, parameters in layers:
            if prefix in optional and not any(self.find(f"{prefix}.{theirs}") for theirs, _, _ in parameters):
                continue
            for theirs, ours, transposed in parameters:
                variable = getattr(layer, ours)
                tensor = self.read(f"{prefix}.{theirs}", variable.shape[::-1] if transposed else variable.shape)
                variable.assign(tensor.T if transposed else tensor)


def tensors_of(model: BertEncoder | BertClassifier | BertMaskedLM) -> dict[str, np.ndarray]:
    """Returns a model's weights by Hugging Face name, float32 whatever the model computes in."""
    tensors = {}
    for prefix, layer, parameters in model_layers(model):
        for theirs, ours, transposed in parameters:
            value = np.asarray(getattr(layer, ours), dtype=np.float32)
            tensors[f"{prefix}.{theirs}"] = value.T if transposed else value
    return tensors


def write_weights(tensors: dict[str, np.ndarray], folder: Path) -> None:
    """Writes `model.safetensors`.

    Raises:
        OSError: the file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    try:
        save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    except safetensors.SafetensorError as error:  # its own kind for a full disk, too
        raise OSError(f"cannot write {folder / WEIGHTS_FILE}: {error}") from error
