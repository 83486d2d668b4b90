"""Augmentation of the training texts."""

import dataclasses
import json

import pytest

from tests.stages.conftest import ODD_LINES, files_only
from tinybert_tf.augmentation.file import FILE, read_augmented
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.kinds import classification
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import augment


def test_augmentation_keeps_originals_and_adds_variants(runs):
    rows = [json.loads(line) for line in (runs["augment"].path / FILE).read_text().splitlines()]
    results = runs["augment"].record["results"]
    assert results["examples"] == 180 and results["rows"] == len(rows) > 400
    assert len({(row["source"], row["text"]) for row in rows}) == len(rows)
    assert sorted({row["source"] for row in rows}) == list(range(180))
    assert 0 < results["flip_rate"] < 1 and results["flips_looked_at"] == len(rows) - 180
    assert "label flips for" in augment.summary(runs["augment"])


def test_originals_are_drawn_as_often_as_asked_for(runs, files):
    own = load_task(**files_only(files))
    for share, least, most in ((0.0, 0.0, 0.3), (0.5, 0.45, 0.55), (0.8, 0.75, 0.85)):
        examples, repeats = read_augmented(str(runs["augment"].path), own, share)
        firsts = repeats[[examples.texts.index(text) for text in own.split("train").texts]].sum()
        assert least < firsts / repeats.sum() < most
    assert repeats.min() == 1


def test_a_line_of_augmented_texts_ends_with_a_newline_alone(runs, reviews, tmp_path, eagerly):
    lines = (reviews / "train.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.csv").write_text("\n".join([*lines, f'"{ODD_LINES}",good\n']), encoding="utf-8")
    config = configs.AugmentConfig(
        output_dir=str(tmp_path / "augment"),
        masked_lm=str(runs["masked_lm"].path),
        vectors="",
        teacher=str(runs["finetune"].path),
        num_variants=2,
        train_file=str(tmp_path / "train.csv"),
    )
    folder = augment.run(config)
    assert folder.record["results"]["examples"] > 100
    rows = read_augmented(str(folder.path), load_task(train_file=config.train_file), 0.0)[0].texts
    assert ODD_LINES in rows and len(rows) == folder.record["results"]["rows"]


def test_an_interrupted_augmentation_goes_on_to_the_same_file(runs, files, tmp_path, monkeypatch, eagerly):
    monkeypatch.setattr("tinybert_tf.scale.variants.CHUNK", 50)
    monkeypatch.setattr(augment, "CHUNK", 50)
    options = {"masked_lm": str(runs["masked_lm"].path), "vectors": "", "num_variants": 5, "num_candidates": 4} | files
    whole = augment.run(configs.AugmentConfig(output_dir=str(tmp_path / "whole"), **options))
    calls = []

    def dies(*args):
        calls.append(1)
        if len(calls) > 120:
            raise KeyboardInterrupt
        return make(*args)

    make = classification.make_pair_variants
    monkeypatch.setattr(classification, "make_pair_variants", dies)
    config = configs.AugmentConfig(output_dir=str(tmp_path / "cut"), **options)
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    partial = tmp_path / "cut" / augment.VARIANTS
    partial.write_bytes(partial.read_bytes()[:-7])  # the kill came within a line
    monkeypatch.setattr(classification, "make_pair_variants", make)
    cut = augment.run(config)
    assert (cut.path / FILE).read_bytes() == (whole.path / FILE).read_bytes()


def test_variants_that_flip_the_teachers_label_can_be_left_out(runs, files, tmp_path, monkeypatch, eagerly):
    options = {"masked_lm": str(runs["masked_lm"].path), "vectors": "", "num_variants": 5, "num_candidates": 4} | files
    teacher = str(runs["finetune"].path)
    config = configs.AugmentConfig(output_dir=str(tmp_path / "run"), teacher=teacher, drop_flips=True, **options)
    results = dict(augment.run(config).record["results"])
    before = runs["augment"].record["results"]["rows"]
    assert 0 < results["dropped"] == before - results["rows"]

    def dies(*args):
        write_text(*args)
        raise KeyboardInterrupt

    write_text = augment.write_text
    monkeypatch.setattr(augment, "write_text", dies)
    config = dataclasses.replace(config, output_dir=str(tmp_path / "cut"))
    with pytest.raises(KeyboardInterrupt):
        augment.run(config)
    monkeypatch.setattr(augment, "write_text", write_text)
    cut = augment.run(config).record["results"]
    assert cut | {"seconds": 0} == results | {"seconds": 0}  # it looks at all of the variants again


def test_a_line_that_is_no_augmented_example_is_named(runs, files, tmp_path):
    (tmp_path / FILE).write_text('{"source": 0, "text": "fine"}\n{"text": "dull"}\n')
    with pytest.raises(InputError, match=f"{FILE}, line 2: .*; expected an object with source, text"):
        read_augmented(str(tmp_path), load_task(**files_only(files)), 0.0)


def test_texts_without_a_word_to_change_have_no_variants(runs, tmp_path, eagerly):
    """The augmenter changes words of a to z: here are none, and the teacher has nothing to judge."""
    rows = [f"фильм номер {i},{'good' if i % 2 else 'bad'}" for i in range(20)]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    config = configs.AugmentConfig(
        output_dir=str(tmp_path / "augment"),
        masked_lm=str(runs["masked_lm"].path),
        vectors="",
        teacher=str(runs["finetune"].path),
        train_file=str(tmp_path / "train.csv"),
    )
    results = augment.run(config).record["results"]
    assert results["rows"] == results["examples"] == 18 and results["flips_looked_at"] == 0
