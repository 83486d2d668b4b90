"""The JSON files of a model folder."""

import json
from pathlib import Path

from tinybert_tf.errors import InputError


def read_json(path: Path, argument: str) -> dict:
    """Reads a JSON object.

    Raises:
        InputError: the file is missing, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(argument, f"no file {path}", "a model folder that holds it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(argument, f"{path}, which is no JSON ({error})", "a model folder's JSON file") from None
    if not isinstance(content, dict):
        raise InputError(argument, f"{path} with a {type(content).__name__}", "a JSON object")
    return content


def write_json(path: Path, content: dict) -> None:
    """Writes a JSON object, indented, with a newline at its end."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
