"""Tiny models with real WordPieces: seconds, not minutes.

Nothing here imports TensorFlow when it is loaded: the process that hands tests out to workers needs none.
"""

import gc
import os
import shutil
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# NumPy's BLAS would have a thread per core in each worker, and they wait for each other busily.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["a", "the", "fine", "dull", "film", "story", "and", "of", "is", "it", "play", "un", "good", "bad"]
FILES_WITH_RUNS = {
    f"tests/stages/test_{name}.py"
    for name in ("finetune", "masked_lm", "augment", "task", "evaluate", "predict", "teacher_predictions")
}
QUESTIONS = "tests/stages/questions/"  # whose files share a teacher and a student
PIECES = [*SPECIAL_TOKENS, *WORDS, "##s", "##ed", "##ing", "##er", "##ly", "##a", "##n", ".", ",", "!", "'"]


# What takes longest, first: two workers then end at about the same time.
LONGEST = (
    "tests/android/test_demo.py",
    "tests/training/test_workers.py",
    "tests/stages/",
    "tests/training/test_compression.py",
    "tests/tflite/",
    "tests/test_readme.py",
    "tests/exporters/",
    "tests/models/",
    "tests/distillation/",
    "tests/tokenizer/",
)


def pytest_collection_modifyitems(items):
    def rank(item):
        return next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))

    items.sort(key=rank)


def pytest_collection_finish(session):
    """What is imported by now stays: collections of garbage need not look at TensorFlow's million objects."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config, log):
    """As with `--dist loadfile`, whole files go to a worker; the files that share models all go to one."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            if file.startswith(QUESTIONS):
                return QUESTIONS
            return "runs" if file in FILES_WITH_RUNS else file

    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def no_compilation_by_default():
    """Keras's `fit` compiles its step with XLA, for longer than tiny models train; tests of XLA ask for it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.src.trainers.trainer.Trainer._resolve_auto_jit_compile", lambda self: False, raising=False)
        yield


@pytest.fixture
def eagerly():
    """TensorFlow's functions run op by op: a few steps of a tiny model end sooner than its graph is traced."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():  # tf.data says that its functions stay graphs
        warnings.filterwarnings("ignore", "Even though the `tf.config.experimental_run_functions_eagerly`")
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True)
def determinism_stays_off():
    """A stage run in the tests' own process must not hand its deterministic ops, which XLA refuses, to other tests."""
    yield
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import config  # Keras asks there too

        if config.is_op_determinism_enabled():
            config.disable_op_determinism()
            pytest.fail("this test left deterministic ops on; give its stage deterministic=False")


@pytest.fixture(scope="session")
def vocabulary():
    """Thirty WordPieces that real BERT vocabularies have."""
    return list(PIECES)


@pytest.fixture(scope="session")
def tokenizer(vocabulary):
    from tinybert_tf.models import BertTokenizer

    return BertTokenizer(vocabulary, sequence_length=16)


@pytest.fixture(scope="session")
def make_encoder(tokenizer):
    """A function that makes a tiny encoder. All its weights are random and large, so that each has an effect."""
    from tinybert_tf.models import BertEncoder

    def make(seed=0, **kwargs):
        shape = {
            "vocabulary_size": len(PIECES),
            "num_layers": 2,
            "num_heads": 3,
            "hidden_dim": 12,
            "intermediate_dim": 20,
            "max_sequence_length": 24,
            "activation": "gelu_new",
            "tokenizer": tokenizer,
        }
        encoder = BertEncoder(**(shape | kwargs))
        randomize(encoder, seed)
        return encoder

    return make


@pytest.fixture(scope="session")
def make_classifier(make_encoder):
    """A function that makes a tiny classifier of two classes on a `make_encoder`."""
    from tinybert_tf.models import BertClassifier

    def make(labels=("negative", "positive"), head_dropout=None, seed=0, **kwargs):
        classifier = BertClassifier(make_encoder(seed=seed, **kwargs), labels, dropout=head_dropout)
        randomize(classifier.classifier, seed)
        return classifier

    return make


@pytest.fixture(scope="session")
def encoder(make_encoder):
    """An encoder to read from; a test that changes one makes its own."""
    from tinybert_tf.training.run_directory import digest_of

    encoder = make_encoder()
    before = digest_of(encoder)
    yield encoder
    assert digest_of(encoder) == before and encoder.trainable


@pytest.fixture(scope="session")
def saved(encoder, make_classifier, tmp_path_factory):
    """The folder in which the models of `folder` and `classifier_folder` are saved, once."""
    saved = tmp_path_factory.mktemp("saved")
    encoder.save_to_preset(saved / "model")
    make_classifier(labels=["bad", "good", "neither"], head_dropout=0.4).save_to_preset(saved / "classifier")
    return saved


@pytest.fixture
def folder(saved, tmp_path):
    """A folder that `encoder` is saved in."""
    return shutil.copytree(saved / "model", tmp_path / "model")


@pytest.fixture
def classifier_folder(saved, tmp_path):
    """The folder of a classifier of three classes, with the same encoder."""
    return shutil.copytree(saved / "classifier", tmp_path / "classifier")


@pytest.fixture
def batch():
    """Three sentences: one text, two texts with padding after them, a single token."""
    import numpy as np

    lengths, first = np.array([[9], [6], [3]]), np.array([[9], [4], [3]])
    positions = np.arange(9)[None]
    mask = (positions < lengths).astype("int32")
    tokens = np.random.default_rng(0).integers(5, len(PIECES), mask.shape).astype("int32") * mask
    tokens[:, 0] = 2
    return {"token_ids": tokens, "segment_ids": ((positions >= first) * mask).astype("int32"), "padding_mask": mask}


def randomize(model, seed=0):
    """Gives every weight a value that no initializer gives: also biases, and scales other than 1."""
    import keras
    import numpy as np

    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if isinstance(variable, keras.Variable) and variable.dtype != "string" and "seed" not in variable.path:
            shift = 1.0 if variable.path.endswith("gamma") else 0.0
            variable.assign(rng.normal(shift, 0.3, variable.shape))
