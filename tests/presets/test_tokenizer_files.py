"""What the files beside a vocabulary say about the tokenizer is honoured, or refused by name."""

import pytest

from tests.conftest import PIECES
from tests.presets.folders import change_json
from tests.presets.tokenizers import (
    ADDED,
    NORMALIZER,
    PROCESSOR,
    SINGLE,
    SPECIAL,
    full,
    model_of,
    settings,
    template,
    tokenizer_of,
    with_vocabulary,
)
from tinybert_tf.errors import InputError

HARMLESS = {
    "as transformers writes it": lambda f: full(f),
    "limits and padding": lambda f: full(f, truncation={"max_length": 4}, padding={"pad_id": 3}),
    "older processor": lambda f: full(
        f, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    ),
    "parts not mentioned": lambda f: full(f, pre_tokenizer=..., post_processor=..., added_tokens=..., normalizer=...),
    "the same classes": lambda f: settings(f, tokenizer_class="DistilBertTokenizerFast"),
    "class in config": lambda f: change_json(f / "config.json", tokenizer_class="ElectraTokenizer"),
    "described in full": lambda f: (full(f), settings(f, tokenizer_class="PreTrainedTokenizerFast")),
    "defaults": lambda f: settings(
        f, do_basic_tokenize=True, never_split=["[MASK]"], strip_accents=None, padding_side="left"
    ),
    "decoder of special tokens": lambda f: settings(
        f, added_tokens_decoder={"4": {"content": "[MASK]", "special": True}}
    ),
    "added special token": lambda f: (f / "added_tokens.json").write_text('{"[PAD]": 0}'),
    "map of objects": lambda f: (f / "special_tokens_map.json").write_text('{"cls_token": {"content": "[CLS]"}}'),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_settings_that_change_no_id(folder, change):
    expected = tokenizer_of(folder).get_config()
    HARMLESS[change](folder)
    assert tokenizer_of(folder).get_config() == expected


REFUSED = {
    "MeCab": (
        lambda f: settings(f, tokenizer_class="BertJapaneseTokenizer", word_tokenizer_type="mecab"),
        r"with tokenizer_class 'BertJapaneseTokenizer' and word_tokenizer_type 'mecab'; expected a WordPiece",
    ),
    "class in config": (
        lambda f: (
            settings(f, tokenizer_class=...),
            change_json(f / "config.json", tokenizer_class="BertJapaneseTokenizer"),
        ),
        r"with tokenizer_class 'BertJapaneseTokenizer'; expected a WordPiece tokenizer of BERT's kind",
    ),
    "class of nothing": (
        lambda f: settings(f, tokenizer_class="PreTrainedTokenizerFast"),
        r"'PreTrainedTokenizerFast'; e",
    ),
    "another cutter": (
        lambda f: settings(f, word_tokenizer_type="sudachi"),
        r"word_tokenizer_type 'sudachi'; expected 'basic'",
    ),
    "characters": (
        lambda f: settings(f, subword_tokenizer_type="character"),
        r"subword_tokenizer_type 'character'; exp",
    ),
    "no words": (lambda f: settings(f, do_basic_tokenize=False), r"do_basic_tokenize False; expected True"),
    "kept words": (
        lambda f: settings(f, never_split=["un-", "[SEP]"]),
        r"never_split \['un-'\]; expected special tokens",
    ),
    "the end": (lambda f: settings(f, truncation_side="left"), r"truncation_side 'left'; expected 'right'"),
    "code": (
        lambda f: settings(f, auto_map={"AutoTokenizer": ["a.B", None]}),
        r"auto_map .*; expected no such setting",
    ),
    "names": (
        lambda f: settings(f, cls_token="<s>"),
        r"tokenizer_config.json with cls_token '<s>'; expected '\[CLS\]'",
    ),
    "names in the map": (
        lambda f: (f / "special_tokens_map.json").write_text('{"unk_token": {"content": "[OOV]"}}'),
        r"special_tokens_map.json with unk_token '\[OOV\]'; expected '\[UNK\]'",
    ),
    "more names": (
        lambda f: (f / "special_tokens_map.json").write_text('{"additional_special_tokens": ["[E1]"]}'),
        r"special_tokens_map.json with the added token '\[E1\]'; expected special tokens of the vocabulary alone",
    ),
    "added tokens": (
        lambda f: (f / "added_tokens.json").write_text('{"<url>": 30}'),
        r"added_tokens.json with the added token '<url>'; expected",
    ),
    "added word": (
        lambda f: settings(f, added_tokens_decoder={"7": {"content": "fine", "special": False}}),
        r"tokenizer_config.json with the added token 'fine'; expected",
    ),
    "moved token": (
        lambda f: settings(f, added_tokens_decoder={"9": {"content": "[MASK]"}}),
        r"with '\[MASK\]' as 9; expected 4, its line in vocab.txt",
    ),
    "casing": (lambda f: settings(f, do_lower_case="yes"), r"do_lower_case 'yes'; expected true or false"),
    "added in full": (
        lambda f: full(f, added_tokens=[*ADDED, {"id": 30, "content": "@user", "special": False}]),
        r"tokenizer.json with the added token '@user'; expected",
    ),
    "model": (lambda f: full(f, model=model_of(PIECES, type="Unigram")), r"model.type 'Unigram'; expected 'WordPiece'"),
    "prefix": (
        lambda f: full(f, model=model_of(PIECES, continuing_subword_prefix="@@")),
        r"subword_prefix '@@'; expected '##'",
    ),
    "long words": (
        lambda f: full(f, model=model_of(PIECES, max_input_chars_per_word=20)),
        r"per_word 20; expected 100",
    ),
    "unknown": (
        lambda f: full(f, model=model_of(PIECES, unk_token="<unk>")),
        r"model.unk_token '<unk>'; expected '\[UNK\]'",
    ),
    "words": (
        lambda f: full(f, pre_tokenizer={"type": "Whitespace"}),
        r"pre_tokenizer 'Whitespace'; expected 'BertPre",
    ),
    "one word": (lambda f: full(f, pre_tokenizer=None), r"pre_tokenizer 'none'; expected 'BertPreTokenizer'"),
    "no special tokens": (
        lambda f: full(f, post_processor=None),
        r"with a post_processor none; expected \[CLS\] text \[SEP\]",
    ),
    "RoBERTa": (
        lambda f: full(f, post_processor={"type": "RobertaProcessing", "sep": ["</s>", 3], "cls": ["<s>", 2]}),
        r"post_processor RobertaProcessing; expected",
    ),
    "two separators": (
        lambda f: full(f, post_processor=PROCESSOR | {"pair": template(*SINGLE, ("[SEP]", 0), ("B", 1), ("[SEP]", 1))}),
        r"post_processor TemplateProcessing; expected",
    ),
    "another segment": (
        lambda f: full(f, post_processor=PROCESSOR | {"single": template(("[CLS]", 2), ("A", 0), ("[SEP]", 0))}),
        r"post_processor TemplateProcessing; expected",
    ),
    "normalizer": (
        lambda f: full(f, normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}]}),
        r"tokenizer.json with a normalizer 'Sequence'; expected BertNormalizer, or none",
    ),
    "two vocabularies": (
        lambda f: full(f, [*PIECES[:7], PIECES[8], PIECES[7], *PIECES[9:]]),
        r"vocab.txt with '\w+' as [78]; expected [78], as tokenizer.json says",
    ),
    "casing contradicted": (
        lambda f: full(f, normalizer=NORMALIZER | {"lowercase": False}),
        r"tokenizer_config.json with do_lower_case True; expected False, as the normalizer of tokenizer.json says",
    ),
    "accents contradicted": (
        lambda f: (full(f), settings(f, strip_accents=False)),
        r"tokenizer_config.json with strip_accents False; expected True, as the normalizer",
    ),
    "forms": (lambda f: full(f, added_tokens=["[PAD]"]), r"tokenizer files in .* that cannot be understood"),
}


@pytest.mark.parametrize("change", REFUSED)
def test_settings_that_make_other_ids_are_refused_by_name(folder, change):
    harm, message = REFUSED[change]
    harm(folder)
    with pytest.raises(InputError, match=message) as caught:
        _ = tokenizer_of(folder)
    assert caught.value.argument == "preset" and "\n" not in str(caught.value)


def test_sentence_pieces_are_refused(folder):
    with_vocabulary(folder, [*SPECIAL, "▁", "▁영화", "는", "."])
    with pytest.raises(InputError, match=r"vocab.txt with pieces such as '▁' and none that begins with ##"):
        _ = tokenizer_of(folder)
    with_vocabulary(folder, [*SPECIAL, "▁", "영화", "##는", "."])
    assert tokenizer_of(folder).tokenize(["영화 ▁"]).shape == (1, None)


def test_a_tokenizer_json_without_the_ids_of_equal_lines(folder):
    """transformers writes this for a vocab.txt with two equal lines: the first one's id is skipped."""
    pieces = [*SPECIAL, "a", "b", "a", "c"]
    (folder / "vocab.txt").unlink()
    full(folder, pieces)
    change_json(folder / "config.json", vocab_size=len(pieces))
    assert tokenizer_of(folder).tokenize(["a b c"]).to_list() == [[7, 6, 8]]


def test_files_of_an_mpnet(make_encoder, tmp_path):
    make_encoder(num_segments=0, relative_position_buckets=32, family="mpnet").save_to_preset(tmp_path)
    pieces = (tmp_path / "vocab.txt").read_text().splitlines()
    expected = tokenizer_of(tmp_path).get_config()
    added = [{"id": pieces.index(token), "content": token} for token in ("<s>", "<pad>", "</s>", "<mask>", "[UNK]")]
    processor = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}
    full(tmp_path, pieces, added_tokens=added, post_processor=processor)
    for _ in range(2):
        assert tokenizer_of(tmp_path).get_config() == expected
        (tmp_path / "vocab.txt").unlink(missing_ok=True)
    full(tmp_path, pieces, added_tokens=[{"id": 1, "content": "<s>"}], post_processor=processor)
    with pytest.raises(InputError, match=r"tokenizer.json with '<s>' as 1; expected 0, its line in tokenizer.json"):
        _ = tokenizer_of(tmp_path)
