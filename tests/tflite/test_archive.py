"""The files behind a model's last byte: written once, read once."""

import io
import json
import zipfile

from tinybert_tf.tflite import archive

SETTINGS = dict.fromkeys(("sequence_length", "fixed_length", "lowercase", "signature", "output"), 1)


def test_the_files_inside():
    model = b"TFL3" * 10
    whole = archive.append_files(model, ["[PAD]", "é"], ["bad", "good"], {"lowercase": True})
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert {entry.compress_type for entry in opened.infolist()} == {zipfile.ZIP_STORED}
        assert opened.read("vocab.txt").decode() == "[PAD]\né\n" and opened.read("labels.txt") == b"bad\ngood\n"
        assert json.loads(opened.read("model_info.json")) == {"lowercase": True}
    assert whole[: len(model)] == model
    assert whole == archive.append_files(model, ["[PAD]", "é"], ["bad", "good"], {"lowercase": True})


def test_what_is_written_is_read(tmp_path):
    """Also pieces that `str.splitlines` would cut."""
    pieces, settings = ["[PAD]", "é", "a\u2028b", ""], SETTINGS | {"labels": ["bad", "good"]}
    (tmp_path / "model").write_bytes(archive.append_files(b"TFL3", pieces, settings["labels"], settings))
    assert archive.read_files(tmp_path / "model") == (pieces, settings)
