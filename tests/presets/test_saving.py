import os
import pathlib
import resource
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.presets.folders import FILES, same
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertEncoder, BertMaskedLM
from tinybert_tf.presets import folder as checkpoints
from tinybert_tf.presets import tensors as weights
from tinybert_tf.tokenizer import BertTokenizer


def broken_save(tensors, path, metadata=None):
    path.write_bytes(b"half a file")
    raise OSError(28, "No space left on device")


def test_failed_save_leaves_nothing(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "save_file", broken_save)
    with pytest.raises(OSError, match=r"No space left"):
        encoder.save_to_preset(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", ["save_file", "json_text", "model_card"])
def test_failed_save_leaves_the_old_folder(make_encoder, folder, monkeypatch, fails):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    if fails == "save_file":
        monkeypatch.setattr(weights, "save_file", broken_save)
    elif fails == "json_text":
        monkeypatch.setattr(checkpoints, "json_text", fail)
    else:
        monkeypatch.setattr(checkpoints, "model_card", fail)
        (folder / "README.md").unlink()
        del before["README.md"]
    with pytest.raises(OSError, match=r"No space left"):
        make_encoder(seed=1).save_to_preset(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits on file sizes here")
def test_a_disk_that_is_really_full(encoder, tmp_path):
    """The operating system itself refuses to write: the error is an OSError, and nothing stays."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        with pytest.raises(OSError, match=r"File too large"):
            encoder.save_to_preset(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_exchange_is_no_model(make_encoder, folder, monkeypatch):
    """Killed between two files: without config.json, so that nobody reads new weights beside an old vocabulary."""
    replaced = []

    def replace(source, target):
        if replaced:
            raise KeyboardInterrupt
        replaced.append(os.path.basename(target))
        os.rename(source, target)

    monkeypatch.setattr(pathlib.Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        make_encoder(seed=1).save_to_preset(folder)
    assert replaced != ["config.json"]
    with pytest.raises(InputError, match=r"a folder without config.json"):
        BertEncoder.from_preset(folder)


def test_saving_over_a_model(make_encoder, folder, batch):
    (folder / "notes.txt").write_text("mine")
    (folder / "README.md").write_text("my card")
    (folder / "special_tokens_map.json").write_text("of another model")
    (folder / "model.safetensors.index.json").write_text("of another model")
    other = make_encoder(seed=1, num_layers=1)
    other.save_to_preset(folder)
    assert same(BertEncoder.from_preset(folder), other, batch)
    assert {file.name for file in folder.iterdir()} == FILES | {"notes.txt"}
    assert (folder / "notes.txt").read_text() == "mine" and (folder / "README.md").read_text() == "my card"


def test_saving_over_the_folder_that_was_loaded(folder, encoder, batch):
    loaded = BertEncoder.from_preset(folder)
    loaded.save_to_preset(folder)
    assert same(loaded, encoder, batch) and same(BertEncoder.from_preset(folder), encoder, batch)


def test_saving_into_an_empty_or_relative_folder(encoder, tmp_path, monkeypatch, batch):
    monkeypatch.chdir(tmp_path)
    for place in (".", "deep/er"):
        encoder.save_to_preset(place)
        assert same(BertEncoder.from_preset(place), encoder, batch)


def test_saving_over_a_file(encoder, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(InputError, match=r"folder: got .*model, which is a file; expected a folder"):
        encoder.save_to_preset(tmp_path / "model")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_saving_without_a_tokenizer(make_encoder, tmp_path):
    with pytest.raises(InputError, match=r"tokenizer: got a model without one"):
        make_encoder(tokenizer=None).save_to_preset(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_mixed_precision_is_saved_in_float32(make_encoder, tmp_path):
    encoder = make_encoder(dtype="mixed_bfloat16")
    encoder.save_to_preset(tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    np.testing.assert_array_equal(tensors["pooler.dense.weight"].T, encoder.pooler.kernel)


def test_card(make_classifier, tmp_path):
    make_classifier().save_to_preset(tmp_path / "reviews")
    card = (tmp_path / "reviews" / "README.md").read_text()
    assert card.startswith("---\n") and "# reviews" in card and "negative, positive" in card and "2 layers" in card
    checkpoints.save_folder(make_classifier(), tmp_path / "reviews", card="another")
    assert (tmp_path / "reviews" / "README.md").read_text() == "another"


def test_a_model_that_its_family_has_not_is_refused(make_encoder, tmp_path):
    for encoder, message in (
        (make_encoder(family="roberta"), r"family: got 'roberta'; expected one of bert, mpnet, distilbert, electra"),
        (
            make_encoder(relative_position_buckets=32),
            r"family: got bert for an encoder with relative_position_buckets 32; expected another",
        ),
    ):
        with pytest.raises(InputError, match=message):
            encoder.save_to_preset(tmp_path / "model")
    mpnet = make_encoder(num_segments=0, relative_position_buckets=32, family="mpnet")
    with pytest.raises(InputError, match=r"model: got a BertForMaskedLM of the family mpnet; expected one of Bert"):
        BertMaskedLM(mpnet).save_to_preset(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rules", [{}, {"lowercase": False}, {"strip_accents": False, "clean_text": False}])
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_the_saved_tokenizer_json_gives_the_same_ids(make_encoder, tmp_path, family, rules):
    own = {"family": "mpnet", "num_segments": 0, "relative_position_buckets": 8} if family == "mpnet" else {}
    encoder = make_encoder(num_layers=1, **own)
    encoder.tokenizer = BertTokenizer(encoder.tokenizer.vocabulary, **rules)
    encoder.save_to_preset(tmp_path / "model")
    theirs = Tokenizer.from_file(str(tmp_path / "model" / "tokenizer.json"))
    pieces = (tmp_path / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    names = {"[CLS]": "<s>", "[SEP]": "</s>"} if family == "mpnet" else {}
    for text in ["a fine film", "The [SEP] FINE\u0301 stor\u00fdy!", "", "x" * 101]:
        tokens = encoder.tokenizer([text])["token_ids"].numpy()[0]
        ours = [encoder.tokenizer.vocabulary[place] for place in tokens]
        assert [pieces[place] for place in theirs.encode(text).ids] == [names.get(piece, piece) for piece in ours]
    again = BertEncoder.from_preset(tmp_path / "model").tokenizer
    assert again.normalization == encoder.tokenizer.normalization
