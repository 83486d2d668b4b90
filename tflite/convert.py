"""From a model to a LiteRT file: float, half precision, or quantized after training."""

import tempfile
from collections.abc import Sequence

import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from tinybert_tf.configs import INPUTS, NUMBER_FORMATS
from tinybert_tf.data.vocabulary import by_frequency
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertQuestionAnswerer
from tinybert_tf.tflite.graph import TOKEN_LOOKUP, graph_of, outputs_of
from tinybert_tf.tflite.metadata import add_metadata
from tinybert_tf.tflite.product_quantization import POINTS, ProductQuantizedTable, product_quantize, stored_bytes
from tinybert_tf.tflite.quiet import quiet

SIGNATURE = "serving_default"


def convert(
    classifier: BertClassifier | BertQuestionAnswerer,
    variant: str = "int8",
    sequence_length: int | None = None,
    fixed: bool = False,
    abstain_below: float | None = None,
    padded: bool = False,
    pieces: Sequence[int] | None = None,
) -> bytes:
    """Returns the LiteRT file of a classifier or question answerer, with metadata, of builtin ops only.

    A question answerer's file of fixed length can be read by the Task Library's BertQuestionAnswerer, whose kernels
    are old: its quantized matrices have one scale each, and not one per column.

    Args:
        classifier: A BERT with its head and tokenizer.
        variant: Number format of the weights, one of `configs.NUMBER_FORMATS`.
        sequence_length: Most tokens that the model looks at; the tokenizer's by default.
        fixed: Whether the model takes exactly `sequence_length` tokens instead of any number.
        abstain_below: Probability below which a text gets no label; the metadata say it, the graph does not.
        padded: Whether a question answerer returns `sequence_length` logits for rows of any length, as LiteRT.js needs.
        pieces: Ids of the WordPieces, the most frequent ones first; `int8_pq` stores the first ones in 8 bits. In the
            order of the vocabulary by default, special tokens first.

    Raises:
        InputError: There is no such variant, its package is missing, or the model has no positions for the length.
        RuntimeError: The converter left something out.
    """
    if variant not in NUMBER_FORMATS:
        raise InputError("variants", repr(variant), f"one of {', '.join(NUMBER_FORMATS)}")
    number_format = NUMBER_FORMATS[variant]
    by_rows = number_format.table_scales == "per_row"  # TensorFlow's own converter gives a table one scale
    length, longest = sequence_length or classifier.tokenizer.sequence_length, classifier.config.max_sequence_length
    if length > longest:
        raise InputError("sequence_length", length, f"at most {longest}, the model's number of positions")
    coded = has_codes(classifier, variant)
    table = _quantized_table(classifier, number_format.whole_rows, pieces) if coded else None
    graph, module = graph_of(classifier, length, fixed, padded, table), tf.Module()
    module.serve = graph.serve
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        # Fusing a layer norm's scale into the next matrices is a little better, but leaves the grid of trained ones.
        converter._experimental_disable_fuse_mul_and_fc = _is_on_grid(classifier)
        if number_format.bits < 32 and not by_rows:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if number_format.bits == 16:
            converter.target_spec.supported_types = [tf.float16]
        if fixed and isinstance(classifier, BertQuestionAnswerer):
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        model = converter.convert()
    kind, labels = "question answerer", ""
    if isinstance(classifier, BertClassifier):
        kind, labels = "text classifier", f": {', '.join(classifier.labels[:20])}"
    description = f"TinyBERT {kind} ({variant}, up to {length} tokens){labels}"
    model = add_metadata(model, "tinybert_tf student", description, outputs_of(classifier), abstain_below)
    model = _with_row_scales(model, variant) if by_rows else model
    _check(model, classifier, variant, length)
    return model


def has_codes(model: BertClassifier | BertQuestionAnswerer, variant: str) -> bool:
    """Returns whether a file of this number format has a token table of codes: where that is smaller than rows."""
    rows, dim = model.encoder.embeddings.token_embedding.embeddings.shape
    whole_rows = NUMBER_FORMATS[variant].whole_rows
    return 0 < whole_rows <= rows - POINTS and stored_bytes(rows, dim, whole_rows) < rows * dim


def _quantized_table(model: BertClassifier | BertQuestionAnswerer, whole_rows: int, pieces) -> ProductQuantizedTable:
    """Returns the token table as codes, with rows for the first of `pieces`."""
    if pieces is None:
        vocabulary = model.tokenizer.vocabulary
        pieces = by_frequency(vocabulary, np.zeros(len(vocabulary)))
    table = np.asarray(model.encoder.embeddings.token_embedding.embeddings, np.float32)
    return product_quantize(table, np.asarray(pieces)[:whole_rows])


def _is_on_grid(classifier: BertClassifier | BertQuestionAnswerer) -> bool:
    """Returns whether quantization-aware training has left matrices of 255 values per column."""
    kernel = np.asarray(classifier.encoder.blocks[0].intermediate_dense.kernel, np.float32)
    steps = 127 * kernel / np.maximum(np.abs(kernel).max(0), 1e-12)
    return bool(np.abs(steps - np.round(steps)).max() < 1e-2)


def _check(model: bytes, classifier: BertClassifier | BertQuestionAnswerer, variant: str, length: int) -> None:
    """Raises RuntimeError unless the file holds every weight, in builtin ops, behind the inputs of that name."""
    parsed = schema.Model.GetRootAs(model)
    codes = [parsed.OperatorCodes(i) for i in range(parsed.OperatorCodesLength())]
    custom = [code.CustomCode() for code in codes if code.BuiltinCode() == schema.BuiltinOperator.CUSTOM]
    if custom or parsed.SubgraphsLength() != 1:
        raise RuntimeError(f"the {variant} file has {parsed.SubgraphsLength()} subgraphs and custom ops {custom}")
    signature = parsed.SignatureDefs(0)
    names = {signature.Inputs(i).Name().decode() for i in range(signature.InputsLength())}
    if names != set(INPUTS):
        raise RuntimeError(f"the {variant} file has inputs {sorted(names)}")
    number_format = NUMBER_FORMATS[variant]
    config = classifier.config
    tokens = config.vocabulary_size * config.hidden_dim
    unused = (config.max_sequence_length - length) * config.hidden_dim
    unused += 0 if classifier.uses_pooler else classifier.encoder.pooler.count_params()
    others = classifier.count_params() - tokens - unused
    expected = (number_format.token_bits * tokens + number_format.bits * others) / 8
    if len(model) < 0.9 * expected:  # equal weights, such as the zeros of new biases, are stored once
        raise RuntimeError(f"the {variant} file has {len(model):,} bytes; its weights alone have {expected:,.0f}")


def _with_row_scales(model: bytes, variant: str) -> bytes:
    """Quantizes a float model with ai-edge-quantizer, which gives each row of a table its own scale."""
    number_format = NUMBER_FORMATS[variant]
    try:
        from ai_edge_quantizer import qtyping, quantizer, recipe_manager
    except ImportError:
        raise InputError(
            "variants",
            f"{variant!r} without {number_format.module}",
            f"pip install 'tinybert-tf[{number_format.extra}]'",
        ) from None
    recipe = recipe_manager.RecipeManager()
    rules = (
        (".*", "FULLY_CONNECTED", number_format.bits),
        (".*", "EMBEDDING_LOOKUP", number_format.bits),
        (f".*{TOKEN_LOOKUP}.*", "EMBEDDING_LOOKUP", number_format.token_bits),
    )
    for regex, op, bits in rules:  # regexes match the names of outputs; the last match counts
        recipe.add_dynamic_config(regex=regex, operation_name=qtyping.TFLOperationName(op), num_bits=bits)
    tool = quantizer.Quantizer(bytearray(_with_embedding_lookups(model)))
    tool.load_quantization_recipe(recipe.get_quantization_recipe())
    with quiet():
        return bytes(tool.quantize().quantized_model)


def _with_embedding_lookups(model: bytes) -> bytes:
    """Turns GATHER from a constant table, which is how TensorFlow looks a row up, into EMBEDDING_LOOKUP.

    ai-edge-quantizer and the kernels know tables with a scale per row only behind the latter.
    """
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    lookup = schema.OperatorCodeT()
    lookup.builtinCode = lookup.deprecatedBuiltinCode = schema.BuiltinOperator.EMBEDDING_LOOKUP
    lookup.version = 1
    parsed.operatorCodes.append(lookup)
    for op in parsed.subgraphs[0].operators:
        if parsed.operatorCodes[op.opcodeIndex].builtinCode == schema.BuiltinOperator.GATHER:
            table, ids = op.inputs
            op.inputs, op.opcodeIndex = [ids, table], len(parsed.operatorCodes) - 1
            op.builtinOptions, op.builtinOptionsType = None, schema.BuiltinOptions.NONE
    builder = flatbuffers.Builder(len(model))
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())
