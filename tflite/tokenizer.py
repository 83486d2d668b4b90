"""BERT's tokenizer without TensorFlow: the ids that `tinybert_tf.models.BertTokenizer` gives (docs/tokenizer.md)."""

from collections.abc import Sequence

from tinybert_tf.errors import InputError


def bert_tokenizer(
    vocabulary: Sequence[str],
    lowercase: bool,
    sequence_length: int | None = None,
    fixed: bool = False,
    *,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool = True,
    clean_text: bool = True,
):
    """Returns a `tokenizers.Tokenizer` that cuts the longer text of a pair first.

    Args:
        vocabulary: The WordPieces, in the order of their ids.
        lowercase: Whether texts are lower-cased.
        sequence_length: Most tokens in a row, special tokens included; None for no limit.
        fixed: Whether every row is padded to that length.
        strip_accents: Whether texts lose their accents; by default as `lowercase`.
        tokenize_chinese_chars: Whether each ideograph is a word by itself.
        clean_text: Whether control, format and private characters are dropped.

    Raises:
        InputError: The package `tokenizers` is missing.
    """
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    except ImportError:
        raise InputError("tokenizers", "no such package", "pip install tokenizers") from None
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=clean_text,
        handle_chinese_chars=tokenize_chinese_chars,
        strip_accents=lowercase if strip_accents is None else strip_accents,
        lowercase=lowercase,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    if sequence_length is not None:
        tokenizer.enable_truncation(sequence_length, strategy="longest_first")
    if fixed:
        tokenizer.enable_padding(pad_id=ids["[PAD]"], length=sequence_length)
    return tokenizer


def tokenizer_rules(settings: dict) -> dict[str, bool]:
    """Returns what an exported student's settings say of its tokenizer, as arguments of `bert_tokenizer`."""
    later = ("strip_accents", "tokenize_chinese_chars", "clean_text")  # files of an older exporter lack them
    return {name: settings[name] for name in ("lowercase", *later) if name in settings}
