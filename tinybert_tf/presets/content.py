"""What a model folder holds, in BERT's terms: the names of its files, its vocabulary, and all of it to be written."""

import dataclasses
from pathlib import Path

import numpy as np

CONFIG_FILE, GOOGLE_CONFIG_FILE, VOCABULARY_FILE = "config.json", "bert_config.json", "vocab.txt"
TOKENIZER_FILE, TOKENIZER_CONFIG_FILE = "tokenizer.json", "tokenizer_config.json"


def config_file(folder: Path) -> Path | None:
    """Returns the file that describes a folder's model: Hugging Face's, or else Google's; None without either."""
    files = [folder / name for name in (CONFIG_FILE, GOOGLE_CONFIG_FILE)]
    return next(filter(Path.is_file, files), None)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The WordPieces of a folder, in a BERT's order.

    Args:
        file: File that they were read from.
        pieces: The WordPieces; special tokens have BERT's names.
        stored: The lines of the file, which are the first rows of the folder's own tables.
        size: Number of rows in the folder's own tables; by default, as many as lines.
        rows: Row of each piece in the folder's own tables, `[pieces]`; None if the order is BERT's.
    """

    file: Path
    pieces: list[str]
    stored: list[str]
    size: int = 0
    rows: np.ndarray | None = None

    def __post_init__(self):
        object.__setattr__(self, "size", self.size or len(self.stored))


@dataclasses.dataclass(frozen=True)
class FolderContent:
    """The content of a model folder that is to be written.

    Args:
        tensors: Weights by name.
        config: Content of `config.json`.
        vocabulary: Lines of `vocab.txt`.
        tokenizer_config: Content of `tokenizer_config.json`.
    """

    tensors: dict[str, np.ndarray]
    config: dict
    vocabulary: list[str]
    tokenizer_config: dict


def text_of(token):
    """Returns the text of a special token; transformers may store its options with it."""
    return token.get("content") if isinstance(token, dict) else token
