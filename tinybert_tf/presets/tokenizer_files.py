"""The files that say how a folder's texts become ids: each setting is honoured or refused by name, as docs/folders.md
lists them."""

from collections.abc import Iterable
from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.presets.content import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, Vocabulary, text_of
from tinybert_tf.presets.normalization import normalization_of

SPECIAL_TOKENS_FILE, ADDED_TOKENS_FILE = "special_tokens_map.json", "added_tokens.json"

# Classes of tokenizers that cut words as BERT's does, without their "Fast".
_CLASSES = {
    f"{name}Tokenizer"
    for name in ("Bert", "ConvBert", "DistilBert", "Electra", "LayoutLM", "Lxmert", "MPNet", "MobileBert")
    + ("RetriBert", "SqueezeBert")
} | {"BertTokenizerLegacy"}
_DESCRIBED = {"PreTrainedTokenizer", "TokenizersBackend"}  # whatever their tokenizer.json says

# What a tokenizer_config.json must say, if it has the key; anything else makes other ids.
_REQUIRED = {
    "do_basic_tokenize": True,
    "do_word_tokenize": True,
    "word_tokenizer_type": "basic",
    "do_subword_tokenize": True,
    "subword_tokenizer_type": "wordpiece",
    "wordpieces_prefix": "##",
    "truncation_side": "right",
    "auto_map": None,
}
# The same for a tokenizer.json's model.
_MODEL = {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
_MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens")


def tokenizer_settings(folder: Path, vocabulary: Vocabulary, special_tokens: dict[str, str], config: dict) -> dict:
    """Returns what a folder's files say about its tokenizer: arguments of `BertTokenizer`.

    Args:
        folder: The folder.
        vocabulary: Its vocabulary.
        special_tokens: Its family's special tokens, by their keys in `tokenizer_config.json`.
        config: Content of its `config.json`.

    Raises:
        InputError: A file has a setting that makes other ids than `BertTokenizer` can.
    """
    try:
        return _read(folder, vocabulary, special_tokens, config)
    except (AttributeError, KeyError, TypeError) as error:
        got = f"tokenizer files in {folder} that cannot be understood ({error!r})"
        raise InputError("preset", got, "the forms that transformers writes") from None


def _read(folder: Path, vocabulary: Vocabulary, special_tokens: dict[str, str], config: dict) -> dict:
    file, full_file = folder / TOKENIZER_CONFIG_FILE, folder / TOKENIZER_FILE
    settings = read_json(file) if file.is_file() else {}
    full = read_json(full_file) if full_file.is_file() else {}
    _check_class(folder, settings, config, bool(full))
    _check_pieces(vocabulary)
    for name, expected in _REQUIRED.items():
        _expect(file, name, settings.get(name), expected)
    tokens = _Tokens(vocabulary, special_tokens)
    if never_split := set(settings.get("never_split") or ()) - tokens.known:
        raise InputError("preset", f"{file} with never_split {sorted(never_split)}", "special tokens alone")
    tokens.check_names(file, settings)
    tokens.check_added(file, _decoder(settings.get("added_tokens_decoder")))
    if (folder / SPECIAL_TOKENS_FILE).is_file():
        tokens.check_names(folder / SPECIAL_TOKENS_FILE, read_json(folder / SPECIAL_TOKENS_FILE))
    if (folder / ADDED_TOKENS_FILE).is_file():
        tokens.check_added(folder / ADDED_TOKENS_FILE, read_json(folder / ADDED_TOKENS_FILE).items())
    if full:
        _check_full(full_file, full, tokens)
    found = normalization_of(file, settings, full_file, full, vocabulary)
    limit = settings.get("model_max_length", settings.get("max_len"))
    return found | ({"sequence_length": limit} if isinstance(limit, int) and limit > 2 else {})


def _expect(file: Path, name: str, value, expected) -> None:
    if value is not None and value != expected:
        expected = "no such setting" if expected is None else repr(expected)
        raise InputError("preset", f"{file} with {name} {value!r}", expected)


def _check_class(folder: Path, settings: dict, config: dict, has_full: bool) -> None:
    """Raises InputError if a tokenizer of another class belongs to the model."""
    name = settings.get("tokenizer_class") or config.get("tokenizer_class")
    plain = name.removesuffix("Fast") if isinstance(name, str) else name
    if name is None or plain in _CLASSES or (plain in _DESCRIBED and has_full):
        return
    kind = settings.get("word_tokenizer_type")
    got = f"{folder} with tokenizer_class {name!r}" + (f" and word_tokenizer_type {kind!r}" if kind else "")
    raise InputError("preset", got, "a WordPiece tokenizer of BERT's kind, such as BertTokenizer")


def _check_pieces(vocabulary: Vocabulary) -> None:
    """Raises InputError for SentencePiece's pieces."""
    marked = next((piece for piece in vocabulary.pieces if piece.startswith("▁")), None)
    if marked and not any(piece.startswith("##") for piece in vocabulary.pieces):
        got = f"{vocabulary.file} with pieces such as {marked!r} and none that begins with ##"
        raise InputError("preset", got, "BERT's WordPieces; these are SentencePiece's")


class _Tokens:
    """A family's special tokens, which texts do not contain; all other tokens must be pieces of words."""

    def __init__(self, vocabulary: Vocabulary, special_tokens: dict[str, str]):
        self.names = special_tokens
        self.known = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<unk>", *special_tokens.values()}
        self.file, self.places = vocabulary.file, {piece: i for i, piece in enumerate(vocabulary.stored)}

    def check_names(self, file: Path, settings: dict) -> None:
        """Raises InputError if settings give a special token another name, or name more of them."""
        for key, expected in self.names.items():
            _expect(file, key, text_of(settings.get(key)), expected)
        more = [token for key in _MORE_TOKENS for token in _listed(settings.get(key))]
        for token in (settings.get("bos_token"), settings.get("eos_token"), *more):
            if token is not None and text_of(token) not in self.known:
                self._refuse(file, text_of(token))

    def check_added(self, file: Path, tokens: Iterable[tuple[str, int]]) -> None:
        """Raises InputError if a token was added to the vocabulary, or has another id there."""
        for token, place in tokens:
            if token not in self.known or token not in self.places:
                self._refuse(file, token)
            if place != self.places[token]:
                got = f"{file} with {token!r} as {place!r}"
                raise InputError("preset", got, f"{self.places[token]}, its line in {self.file.name}")

    def _refuse(self, file: Path, token) -> None:
        expected = "special tokens of the vocabulary alone: others would have to be found in texts as a whole"
        raise InputError("preset", f"{file} with the added token {token!r}", expected)


def _listed(tokens) -> list:
    return list(tokens.values() if isinstance(tokens, dict) else tokens or ())


def _decoder(tokens) -> list[tuple[str, int | str]]:
    """Returns (token, id) for each entry of an `added_tokens_decoder`."""
    tokens = tokens if isinstance(tokens, dict) else {}
    return [(text_of(token), int(place) if place.isdecimal() else place) for place, token in tokens.items()]


def _check_full(file: Path, content: dict, tokens: _Tokens) -> None:
    """Raises InputError if a `tokenizer.json` describes a tokenizer that is not BERT's, or another vocabulary."""
    model = content.get("model") or {}
    for name, expected in {**_MODEL, "unk_token": tokens.names["unk_token"]}.items():
        _expect(file, f"model.{name}", model.get(name), expected)
    _expect(file, "pre_tokenizer", _kind(content, "pre_tokenizer", "BertPreTokenizer"), "BertPreTokenizer")
    _check_processor(file, content, tokens.names)
    tokens.check_added(file, ((text_of(token), token.get("id")) for token in content.get("added_tokens") or ()))
    theirs = {piece.rstrip(): place for piece, place in sorted(model["vocab"].items(), key=lambda item: item[1])}
    ours = {piece: place for piece, place in tokens.places.items() if piece}
    for piece in (ours | theirs) if tokens.file != file else ():
        if piece and ours.get(piece) != theirs.get(piece):
            got = f"{tokens.file} with {piece!r} as {ours.get(piece)}"
            raise InputError("preset", got, f"{theirs.get(piece)}, as {file.name} says")


def _kind(content: dict, name: str, default: str) -> str:
    """Returns the type of a part of a `tokenizer.json`; a part that is not mentioned is the default one."""
    part = content.get(name, {"type": default})
    return part.get("type", "none") if isinstance(part, dict) else "none"


def _check_processor(file: Path, content: dict, names: dict[str, str]) -> None:
    """Raises InputError if other special tokens are put around texts than [CLS] and [SEP]."""
    start, end, kind = names["cls_token"], names["sep_token"], _kind(content, "post_processor", "BertProcessing")
    part = content.get("post_processor") or {}
    is_berts = start == "[CLS]"
    if kind == "TemplateProcessing":
        # Pairs of MPNet have two separators between the texts. Here they have one, as the pairs of its students.
        forms = {"single": [start, "A:0", end], "pair": [start, "A:0", end, "B:1", f"{end}:1"]}
        fits = all(_form(part.get(name)) == form for name, form in forms.items() if is_berts or name == "single")
    else:
        allowed = {"BertProcessing"} if is_berts else {"BertProcessing", "RobertaProcessing"}
        around = [(part.get(name) or [token])[0] for name, token in (("cls", start), ("sep", end))]
        fits = kind in allowed and around == [start, end]
    if not fits:
        raise InputError("preset", f"{file} with a post_processor {kind}", f"{start} text {end}, as a BERT has it")


def _form(template) -> list[str]:
    """Returns the parts of a template: special tokens, texts, and the segment of each if it is not the usual one."""
    found = []
    for part in template or ():
        for kind, value in part.items():
            number = value.get("type_id", 0)
            found.append(f"{value['id']}:{number}" if kind == "Sequence" or number else value["id"])
    return found
