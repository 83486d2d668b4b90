"""An exported tiny student."""

import dataclasses

import pytest

from tinybert_tf.configs import NUMBER_FORMATS
from tinybert_tf.tflite import archive


@pytest.fixture(scope="session")
def converted():
    """A function that converts a classifier, and the same weights in the same way only once."""
    from tinybert_tf.tflite.convert import convert
    from tinybert_tf.training.run_directory import digest_of

    made = {}

    def convert_once(classifier, *options):
        key = digest_of(classifier), tuple(classifier.labels), classifier.multi_label, options
        if key not in made:
            made[key] = convert(classifier, *options)
        return made[key]

    return convert_once


@pytest.fixture
def export(tmp_path, converted):
    """A function that writes a classifier's .tflite file and returns its path."""
    from tinybert_tf.tflite.graph import output_name

    def export(classifier, variant="float32", sequence_length=16, fixed=False, abstain_below=None):
        settings = {
            "labels": classifier.labels,
            "multi_label": classifier.multi_label,
            "sequence_length": sequence_length,
            "fixed_length": fixed,
            **classifier.tokenizer.normalization,
            "takes_pairs": classifier.tokenizer.takes_pairs,
            "signature": "serving_default",
            "output": output_name(classifier),
        }
        settings |= {} if abstain_below is None else {"abstain_below": abstain_below}
        model = converted(classifier, variant, sequence_length, fixed, abstain_below)
        model = archive.append_files(model, classifier.tokenizer.vocabulary, classifier.labels, settings)
        path = tmp_path / f"student_{variant}_{fixed}.tflite"
        path.write_bytes(model)
        return path

    return export


@pytest.fixture
def few_whole(monkeypatch):
    """A function that sets the number of whole rows of int8_pq."""

    def set_to(rows):
        number_format = dataclasses.replace(NUMBER_FORMATS["int8_pq"], whole_rows=rows)
        monkeypatch.setitem(NUMBER_FORMATS, "int8_pq", number_format)

    return set_to
