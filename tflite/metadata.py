"""TFLite metadata: what MediaPipe's TextClassifier, and the Task Library's BertQuestionAnswerer, know of a file.

A flatbuffer of TFLite's `metadata_schema.fbs` goes into the model as the buffer `TFLITE_METADATA`. It names the files
of `archive.py`.
"""

from collections.abc import Sequence

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.tflite.archive import LABELS, VOCABULARY

# MediaPipe's names of BERT's inputs, by ours.
_MEDIAPIPE_NAMES = {"token_ids": "ids", "segment_ids": "segment_ids", "padding_mask": "mask"}
_SCORE_THRESHOLD, _BERT_TOKENIZER = 3, 4  # ProcessUnitOptions: ScoreThresholdingOptions, BertTokenizerOptions
_AXIS_LABELS, _VOCABULARY = 2, 5  # AssociatedFileType


def add_metadata(
    model: bytes, name: str, description: str, outputs: Sequence[str], abstain_below: float | None = None
) -> bytes:
    """Returns a converted model with a metadata flatbuffer in it.

    Args:
        model: A LiteRT file of one subgraph, whose inputs are named as in `tinybert_tf.configs.INPUTS`.
        name: Name of the model.
        description: A sentence about the model.
        outputs: Names of the outputs: "probabilities", "score", or "start_logits" and "end_logits".
        abstain_below: Probability below which MediaPipe leaves a class out; None if it gives all of them.
    """
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = parsed.subgraphs[0]
    inputs = [_input_name(graph.tensors[place].name.decode()) for place in graph.inputs]
    if len(outputs) > 1:
        names = {entry.tensorIndex: entry.name.decode() for entry in parsed.signatureDefs[0].outputs}
        outputs = [names[place] for place in graph.outputs]
    buffer = schema.BufferT()
    inputs = [_MEDIAPIPE_NAMES[name] for name in inputs]
    buffer.data = list(_metadata(name, description, inputs, outputs, abstain_below))
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(parsed.buffers)
    parsed.buffers.append(buffer)
    parsed.metadata = [*(parsed.metadata or []), entry]
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _input_name(tensor: str) -> str:
    """Returns our name of an input, from the converter's ("serving_default_token_ids:0")."""
    return next(name for name in _MEDIAPIPE_NAMES if tensor.removesuffix(":0").endswith(name))


def _metadata(
    name: str, description: str, inputs: Sequence[str], outputs: Sequence[str], abstain_below: float | None
) -> bytes:
    """Returns a `ModelMetadata` table; the numbers below are the fields' places in the schema."""
    builder = flatbuffers.Builder(1024)
    vocabulary = _file(builder, VOCABULARY, "WordPieces in the order of their ids", _VOCABULARY)
    tokenizer = _table(builder, 1, {0: _vector(builder, [vocabulary])})
    unit = _unit(builder, _BERT_TOKENIZER, tokenizer)
    tensors = [_tensor(builder, name, "int32, one row of tokens") for name in inputs]
    answers = [_output(builder, output, abstain_below) for output in outputs]
    fields = {2: _vector(builder, tensors), 3: _vector(builder, answers), 5: _vector(builder, [unit])}
    subgraph = _table(builder, 10, fields)
    strings = {place: builder.CreateString(text) for place, text in ((0, name), (1, description), (7, "1.2.1"))}
    model = _table(builder, 8, strings | {3: _vector(builder, [subgraph])})
    builder.Finish(model, b"M001")
    return bytes(builder.Output())


def _output(builder, name: str, abstain_below: float | None) -> int:
    if name != "probabilities":
        return _tensor(builder, name, "one number per class" if name == "score" else "one number per token")
    labels = [_file(builder, LABELS, "classes in the order of the output", _AXIS_LABELS)]
    return _tensor(builder, name, "one number per class", labels, _thresholds(builder, abstain_below))


def _thresholds(builder, abstain_below: float | None) -> list[int]:
    """Returns what is to be done to an output: nothing, or leaving out the classes below a probability."""
    if abstain_below is None:
        return []
    builder.StartObject(1)
    builder.PrependFloat32Slot(0, abstain_below, 0)
    return [_unit(builder, _SCORE_THRESHOLD, builder.EndObject())]


def _unit(builder, kind: int, options: int) -> int:
    """Adds a `ProcessUnit`; returns its offset."""
    builder.StartObject(2)
    builder.PrependUint8Slot(0, kind, 0)
    builder.PrependUOffsetTRelativeSlot(1, options, 0)
    return builder.EndObject()


def _tensor(builder, name: str, description: str, files: Sequence[int] = (), units: Sequence[int] = ()) -> int:
    fields = {0: builder.CreateString(name), 1: builder.CreateString(description)}
    fields |= {place: _vector(builder, parts) for place, parts in ((4, units), (6, files)) if parts}
    return _table(builder, 7, fields)


def _file(builder, name: str, description: str, kind: int) -> int:
    name, description = builder.CreateString(name), builder.CreateString(description)
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUOffsetTRelativeSlot(1, description, 0)
    builder.PrependInt8Slot(2, kind, 0)
    return builder.EndObject()


def _table(builder, size: int, fields: dict[int, int]) -> int:
    """Adds a table of `size` fields, of which these are set; returns its offset."""
    builder.StartObject(size)
    for place, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(place, offset, 0)
    return builder.EndObject()


def _vector(builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
