"""The settings of each `--stage`: one frozen dataclass per file and stage, one flag per field."""

from tinybert_tf.settings.stages.all import AllConfig
from tinybert_tf.settings.stages.augment import AugmentConfig
from tinybert_tf.settings.stages.corpus import CorpusConfig
from tinybert_tf.settings.stages.evaluate import EvaluateConfig
from tinybert_tf.settings.stages.export import ExportConfig
from tinybert_tf.settings.stages.finetune import FinetuneConfig
from tinybert_tf.settings.stages.general import GeneralConfig
from tinybert_tf.settings.stages.masked_lm import MaskedLMConfig
from tinybert_tf.settings.stages.predict import PredictConfig
from tinybert_tf.settings.stages.task import TaskConfig
from tinybert_tf.settings.stages.vocabulary import VocabularyConfig

STAGES = {
    "all": AllConfig,
    "corpus": CorpusConfig,
    "general": GeneralConfig,
    "finetune": FinetuneConfig,
    "masked_lm": MaskedLMConfig,
    "augment": AugmentConfig,
    "task": TaskConfig,
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "vocabulary": VocabularyConfig,
}
