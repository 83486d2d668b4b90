"""MPNet's names, vocabulary and positions, and the way to BERT's: the rows of its tables are put into BERT's order.

An MPNet has BERT's WordPieces, a few places later, and special tokens of its own. With its token table in BERT's order
it takes BERT's ids, so a student, the tokenizer and everything else stay BERT's.
"""

import dataclasses
from pathlib import Path

import numpy as np

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.presets.tensors import Weights

# Positions are counted from the row behind the padding's.
FIRST_POSITION = 2
# BERT's special tokens, and what tokenizer_config.json calls MPNet's, with the names that those have by default.
_SPECIALS = {
    "[PAD]": ("pad_token", "<pad>"),
    "[UNK]": ("unk_token", "[UNK]"),
    "[CLS]": ("cls_token", "<s>"),
    "[SEP]": ("sep_token", "</s>"),
    "[MASK]": ("mask_token", "<mask>"),
}
# Parts of names, BERT's and MPNet's. A classifier's head holds what is the pooler in BERT.
_NAMES = {
    "attention.self.query.": "attention.attn.q.",
    "attention.self.key.": "attention.attn.k.",
    "attention.self.value.": "attention.attn.v.",
    "attention.output.dense.": "attention.attn.o.",
    "attention.output.LayerNorm.": "attention.LayerNorm.",
}
_HEAD_NAMES = {"pooler.dense.": "classifier.dense.", "classifier.": "classifier.out_proj."}
_TOKENS, _POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"


class MpnetVocabulary:
    """The WordPieces of an MPNet in BERT's order.

    Args:
        folder: with `vocab.txt`, and maybe `tokenizer_config.json`.
        argument: what errors call the folder.

    Attributes:
        theirs: MPNet's vocabulary.
        pieces: BERT's.
        rows: the place of each piece in MPNet's tables, `[pieces]`.

    Raises:
        InputError: a special token is missing, or the rest is no WordPiece vocabulary of a BERT.
    """

    def __init__(self, folder: Path, argument: str):
        file = folder / "vocab.txt"
        try:
            self.theirs = file.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(argument, f"{file} ({error})", "the vocabulary of an MPNet, in UTF-8") from None
        settings, theirs = {}, self.theirs
        if (folder / "tokenizer_config.json").is_file():
            settings = read_json(folder / "tokenizer_config.json", argument)
        places = {piece: place for place, piece in enumerate(theirs)}
        named = {ours: _content(settings.get(key, default)) for ours, (key, default) in _SPECIALS.items()}
        own = {name for name in named.values() if name not in named} | {"<unk>"}
        self.pieces = [piece for piece in theirs if piece not in own]
        missing = [piece for piece in _SPECIALS if piece not in places or named[piece] not in places]
        if missing or len(places) < len(theirs):
            got = f"{file} without a place for {', '.join(missing)}" if missing else f"{file} with a piece twice"
            raise InputError(argument, got, "BERT's WordPieces and MPNet's special tokens")
        self.rows = np.array([places[named.get(piece, piece)] for piece in self.pieces])


def _content(token: str | dict) -> str:
    """The text of a special token; slow tokenizers of transformers keep its manners with it."""
    return token["content"] if isinstance(token, dict) else token


class MpnetWeights(Weights):
    """The tensors of an MPNet folder under BERT's names, tables in BERT's order.

    Args:
        folder: as for `Weights`.
        argument: likewise.
        vocabulary: of the folder.
    """

    def __init__(self, folder: Path, argument: str, vocabulary: MpnetVocabulary):
        super().__init__(folder, argument)
        self._vocabulary = vocabulary

    def find(self, name: str) -> str | None:
        plain = name.removeprefix("bert.")
        head = _renamed(plain, _HEAD_NAMES)
        candidates = (_renamed(plain, _NAMES), f"mpnet.{_renamed(plain, _NAMES)}", head)
        return next((found for candidate in candidates if (found := super(MpnetWeights, self).find(candidate))), None)

    def read(self, name: str, shape) -> np.ndarray:
        if name.endswith(_TOKENS):
            return super().read(name, (len(self._vocabulary.theirs), shape[1]))[self._vocabulary.rows]
        if name.endswith(_POSITIONS):
            return super().read(name, (shape[0] + FIRST_POSITION, shape[1]))[FIRST_POSITION:]
        return super().read(name, shape)


def _renamed(name: str, names: dict[str, str]) -> str:
    found = next((part for part in names if part in name), None)
    return name if found is None else name.replace(found, names[found])


@dataclasses.dataclass
class FolderContent:
    """What a model folder is to hold, in BERT's terms.

    Args:
        tensors: weights by name.
        config: of `config.json`.
        vocabulary: of `vocab.txt`.
        tokenizer_config: of `tokenizer_config.json`.
    """

    tensors: dict[str, np.ndarray]
    config: dict
    vocabulary: list[str]
    tokenizer_config: dict

    def as_mpnet(self, relative_position_buckets: int) -> "FolderContent":
        """Returns the same in MPNet's terms, as transformers reads it."""
        names = dict(_SPECIALS.values()) | {"bos_token": "<s>", "eos_token": "</s>"}
        return FolderContent(
            _tensors(self.tensors, self.vocabulary),
            _config(self.config, relative_position_buckets),
            _vocabulary(self.vocabulary),
            self.tokenizer_config | names | {"tokenizer_class": "MPNetTokenizer"},
        )


def _tensors(tensors: dict[str, np.ndarray], vocabulary: list[str]) -> dict[str, np.ndarray]:
    is_classifier, places = "classifier.weight" in tensors, {piece: place for place, piece in enumerate(vocabulary)}
    order = [places[piece] for piece in ("[CLS]", "[PAD]", "[SEP]", "[UNK]")]
    order += [*range(len(vocabulary)), places["[MASK]"]]
    turned = {}
    for name, tensor in tensors.items():
        if name.endswith(_TOKENS):
            tensor = tensor[order]
        elif name.endswith(_POSITIONS):
            tensor = np.concatenate([np.zeros_like(tensor[:FIRST_POSITION]), tensor])
        name = _renamed(name.replace("bert.", "mpnet.", 1), _NAMES)
        if is_classifier and ("pooler.dense." in name or name.startswith("classifier.")):
            name = _renamed(name.removeprefix("mpnet."), _HEAD_NAMES)
        turned[name] = tensor
    return turned


def _config(content: dict, relative_position_buckets: int) -> dict:
    kept = {key: value for key, value in content.items() if key not in ("type_vocab_size", "position_embedding_type")}
    return kept | {
        "architectures": [name.replace("Bert", "MPNet") for name in content["architectures"]],
        "model_type": "mpnet",
        "vocab_size": content["vocab_size"] + len(_vocabulary([])),
        "max_position_embeddings": content["max_position_embeddings"] + FIRST_POSITION,
        "relative_attention_num_buckets": relative_position_buckets,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }


def _vocabulary(pieces: list[str]) -> list[str]:
    return ["<s>", "<pad>", "</s>", "<unk>", *pieces, "<mask>"]
