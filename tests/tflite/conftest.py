"""An exported tiny student."""

import pytest

from tinybert_tf.tflite import archive


@pytest.fixture
def export(tmp_path):
    """A function that writes a classifier's .tflite file and returns its path."""
    from tinybert_tf.tflite.convert import convert
    from tinybert_tf.tflite.graph import output_name

    def export(classifier, variant="float32", sequence_length=16, fixed=False):
        settings = {
            "labels": classifier.labels,
            "sequence_length": sequence_length,
            "fixed_length": fixed,
            "lowercase": classifier.tokenizer.lowercase,
            "signature": "serving_default",
            "output": output_name(classifier),
        }
        model = convert(classifier, variant, sequence_length, fixed)
        model = archive.append_files(model, classifier.tokenizer.vocabulary, classifier.labels, settings)
        path = tmp_path / f"student_{variant}_{fixed}.tflite"
        path.write_bytes(model)
        return path

    return export
