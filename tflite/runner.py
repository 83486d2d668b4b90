"""LiteRT's interpreter of an exported student; it is imported only where a model is run."""

from collections.abc import Callable
from pathlib import Path

from tinybert_tf.errors import InputError


def open_runner(model: Path, signature: str, num_threads: int = 1) -> Callable[..., dict]:
    """Returns a function of the signature's inputs by name, int32 `[1, length]`, that returns its outputs by name.

    Raises:
        InputError: LiteRT is missing, the file is not one of its models, or there are no threads.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise InputError("ai-edge-litert", "no such package", "pip install ai-edge-litert") from None
    if num_threads < 1:
        raise InputError("num_threads", num_threads, "1 or more")
    try:
        str(model).encode()
        source = {"model_path": str(model)}
    except UnicodeEncodeError:  # LiteRT opens no file of such a name
        source = {"model_content": model.read_bytes()}
    try:
        return Interpreter(**source, num_threads=num_threads).get_signature_runner(signature)
    except ValueError as error:
        raise InputError("model", f"{model} ({error})", "a LiteRT file that --stage=export wrote") from None
