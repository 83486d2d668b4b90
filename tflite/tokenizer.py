"""BERT's tokenizer without TensorFlow: the ids that `tinybert_tf.models.BertTokenizer` gives (docs/tokenizer.md)."""

from collections.abc import Sequence

from tinybert_tf.errors import InputError


def bert_tokenizer(vocabulary: Sequence[str], lowercase: bool, sequence_length: int | None = None, fixed: bool = False):
    """Returns a `tokenizers.Tokenizer` that cuts the longer text of a pair first.

    Args:
        vocabulary: The WordPieces, in the order of their ids.
        lowercase: Whether texts are lower-cased and lose their accents.
        sequence_length: Most tokens in a row, special tokens included; None for no limit.
        fixed: Whether every row is padded to that length.

    Raises:
        InputError: The package `tokenizers` is missing.
    """
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    except ImportError:
        raise InputError("tokenizers", "no such package", "pip install tokenizers") from None
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    if sequence_length is not None:
        tokenizer.enable_truncation(sequence_length, strategy="longest_first")
    if fixed:
        tokenizer.enable_padding(pad_id=ids["[PAD]"], length=sequence_length)
    return tokenizer
