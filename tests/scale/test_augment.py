"""`--stage=augment --runner=…`: the plain stage's file, byte for byte."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

from tinybert_tf.augmentation.file import FILE
from tinybert_tf.errors import InputError
from tinybert_tf.scale import units
from tinybert_tf.scale.variants import Variants, VariantShards
from tinybert_tf.settings.stages import AugmentConfig
from tinybert_tf.stages import augment

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def masked_lm(plain_model, tmp_path_factory):
    """The folder of a masked LM that has learned nothing."""
    import keras

    from tinybert_tf.models import BertMaskedLM

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("model") / "masked_lm"
    BertMaskedLM.from_preset(plain_model).save_to_preset(folder)
    return str(folder)


@pytest.fixture
def options(masked_lm, texts, tmp_path, monkeypatch):
    for module in ("tinybert_tf.scale.variants", "tinybert_tf.stages.augment"):
        monkeypatch.setattr(f"{module}.CHUNK", 20)
    lines = [f"{text},{label}" for text, label in zip(texts[:130], ["good", "bad"] * 65)]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *lines]))
    flags = {"masked_lm": masked_lm, "vectors": "", "num_variants": 3, "num_candidates": 3, "stop_words": ""}
    return flags | {"train_file": str(tmp_path / "train.csv"), "masked_share": 0.3}


@pytest.fixture
def plain(options, tmp_path):
    """The file that the plain stage writes."""
    run = augment.run(AugmentConfig(**options, output_dir=str(tmp_path / "plain")))
    assert run.record["results"]["rows"] > 300
    return (run.path / FILE).read_bytes()


@pytest.fixture
def config(options, tmp_path):
    return AugmentConfig(**options, runner="DirectRunner", num_shards=3, output_dir=str(tmp_path / "run"))


def test_a_killed_run_goes_on_to_the_plain_file_with_another_runner(config, plain, engine, monkeypatch):
    first, second = engine(dies_at=1), engine(backwards=True)
    monkeypatch.setattr(augment, "Engine", lambda runner, options: first)
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    monkeypatch.setattr(augment, "Engine", lambda runner, options: second)
    run = augment.run(dataclasses.replace(config, runner="SparkRunner"))
    assert second.done == [("augment", 2), ("augment", 1)]
    assert (run.path / FILE).read_bytes() == plain
    assert not [path for path in run.path.iterdir() if path.name not in (FILE, "run.json", ".lock")]


def test_shards_of_other_inputs_are_not_kept(config, plain, engine, monkeypatch):
    first, second = engine(dies_at=2), engine()
    monkeypatch.setattr(augment, "Engine", lambda runner, options: first)
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    units.keep_only_from({"task": "another"}, Path(config.output_dir) / augment.SHARDS, [])
    monkeypatch.setattr(augment, "Engine", lambda runner, options: second)
    assert (augment.run(config).path / FILE).read_bytes() == plain
    assert second.done == [("augment", 0), ("augment", 1), ("augment", 2)]


def test_a_worker_finds_files_from_another_folder(config, tmp_path, monkeypatch):
    shutil.copytree(config.masked_lm, tmp_path / "masked_lm")
    (tmp_path / "vectors.txt").write_text("film 1 0\nstory 1 0.1\n")
    (tmp_path / "english").touch()  # a file of the name that stands for the packaged words
    changes = {"masked_lm": "masked_lm", "vectors": "vectors.txt", "train_file": "train.csv", "stop_words": "english"}
    monkeypatch.chdir(tmp_path)
    shards = VariantShards(dataclasses.replace(config, **changes), 130, tmp_path / "shards")
    expected = Variants(shards._config).lines(0)
    monkeypatch.chdir("/")
    worker = shards.load()
    assert worker.lines(0) == expected and len(worker.stop_words) > 50


def test_beam_makes_the_plain_file(config, plain):
    pytest.importorskip("apache_beam")
    assert (augment.run(config).path / FILE).read_bytes() == plain


def test_without_beam_one_line_names_the_extra(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"^runner: got 'DirectRunner' without apache_beam .* 'tinybert-tf\[scale\]'"):
        augment.run(config)
    assert not (tmp_path / "run").exists()
