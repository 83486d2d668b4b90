"""The settings of `--stage=masked_lm`."""

import dataclasses

from tinybert_tf.settings.fields import MODEL, RUN, TRAINING, setting, setting_like
from tinybert_tf.settings.names import ANY_MODEL, FOLDER
from tinybert_tf.settings.training import OnText


@dataclasses.dataclass(frozen=True)
class MaskedLMConfig(OnText):
    """Settings of `--stage=masked_lm`: trains a masked language model on unlabelled text, for augmentation."""

    model: str = setting(
        "minilm_l6", f"BERT that gets a masked-LM head, or one that has a head already: {ANY_MODEL}.", MODEL, place=True
    )
    corpus: tuple[str, ...] = setting_like(OnText, "corpus", default=("wiki_openings", "movie_reviews"))
    mask_probability: float = setting(0.15, "Share of the tokens to be guessed.", TRAINING, above=0, below=1)
    max_steps: int = setting_like(OnText, "max_steps", default=400)
    learning_rate: float = setting_like(OnText, "learning_rate", default=5e-4)
    output_dir: str = setting("runs/masked_lm", FOLDER, RUN)
