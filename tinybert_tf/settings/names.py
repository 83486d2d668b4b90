"""What the help of several stages says in the same words."""

from tinybert_tf.configs import STUDENT_PRESETS

ANY_MODEL = (
    "a run directory, a model folder, hf://USER/MODEL, a keras-hub preset (bert_base_en_uncased), "
    "or the packaged minilm_l6 or mpnet_base"
)
CLASSIFIER = (
    "a run directory, a model folder, hf://USER/MODEL, or a keras-hub preset that has a head "
    "(bert_tiny_en_uncased_sst2)"
)
SHAPES = ", ".join(STUDENT_PRESETS)
FOLDER = "Folder of the run; repeat the command to resume an interrupted one."
