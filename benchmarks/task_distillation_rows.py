"""The rows of task_distillation.py's tables: the command behind each model."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: its title, the stage and flags that make its model, and its teacher."""

    title: str
    stage: str
    flags: tuple[str, ...]
    teacher: str = "teacher"


_OFTEN = ("--eval_steps=150", "--save_steps=300")
_LABELS = ("--max_steps={steps}", "--epochs=0", "--learning_rate=2e-4", *_OFTEN)
_TWO_PHASES = (
    *("--phase=two", "--max_steps={intermediate}", "--prediction_max_steps={prediction}"),
    *("--learning_rate=5e-4", "--teacher={teacher}", "--student_init=svd", *_OFTEN),
)
_JOINT = ("--phase=joint", "--max_steps={steps}", "--learning_rate=5e-4", "--teacher={teacher}", *_OFTEN)
_GENERAL, _SCRATCH, _AUGMENTED = "--student={general}", "--student=tinybert_4l_312", "--augmented={augment}"
_CUT = ("--phase=joint", "--max_steps={steps}", "--learning_rate=3e-4", "--teacher={teacher}", _SCRATCH)

MAIN = {
    "full": Row("full recipe", "task", (*_JOINT, _GENERAL, _AUGMENTED)),
    "no_augmentation": Row("no augmentation", "task", (*_JOINT, _GENERAL)),
    "no_general": Row("no general distillation: SVD start, two phases", "task", (*_TWO_PHASES, _SCRATCH, _AUGMENTED)),
    "no_task": Row("no task distillation: labels, augmented", "finetune", (*_LABELS, "--model={general}", _AUGMENTED)),
    "general_only": Row("general distillation, then labels", "finetune", (*_LABELS, "--model={general}")),
    "labels_only": Row("labels only, from scratch", "finetune", (*_LABELS, "--model=tinybert_4l_312")),
    "cut": Row("cut from the teacher in closed form, no general distillation, no augmentation", "task", _CUT),
}
_TWO = (*_TWO_PHASES, _GENERAL, _AUGMENTED)
ABLATIONS = {
    "two_phases": Row("two phases, as in the paper", "task", _TWO),
    "no_embedding": Row("no embedding loss", "task", (*_TWO, "--embedding_weight=0")),
    "no_hidden": Row("no hidden loss", "task", (*_TWO, "--hidden_weight=0")),
    "no_attention": Row("no attention loss", "task", (*_TWO, "--attention_weight=0")),
    "no_transformer": Row("no hidden, no attention loss", "task", (*_TWO, "--hidden_weight=0", "--attention_weight=0")),
    "no_prediction": Row("no prediction loss (closed-form head)", "task", (*_TWO, "--prediction_max_steps=1")),
    "no_intermediate": Row(
        "no phase 1 (phase 2 longer)",
        "task",
        ("--phase=prediction", "--prediction_max_steps={steps}", "--teacher={teacher}", *_OFTEN, _GENERAL, _AUGMENTED),
    ),
    "random_head": Row("random pooler and head before phase 2", "task", (*_TWO, "--head_init=own")),
    "top": Row("top layers", "task", (*_TWO, "--layer_map=top")),
    "bottom": Row("bottom layers", "task", (*_TWO, "--layer_map=bottom")),
    "originals": Row("no augmentation", "task", (*_TWO_PHASES, _GENERAL)),
    "mix": Row("half of each pass originals", "task", (*_TWO, "--original_share=0.5")),
    "joint_mix": Row(
        "half of each pass originals, joint", "task", (*_JOINT, _GENERAL, _AUGMENTED, "--original_share=0.5")
    ),
    "scratch_joint": Row(
        "from scratch, SVD start, joint", "task", (*_JOINT, _SCRATCH, _AUGMENTED, "--student_init=svd")
    ),
    "scratch_random": Row(
        "from scratch, random start", "task", (*_TWO_PHASES, _SCRATCH, _AUGMENTED, "--student_init=random")
    ),
    "scratch_6l": Row("from scratch, 6 layers of 312", "task", (*_TWO_PHASES, "--student=tinybert_6l_312", _AUGMENTED)),
    "scratch_2l": Row("from scratch, 2 layers of 312", "task", (*_TWO_PHASES, "--student=tinybert_2l_312", _AUGMENTED)),
}


_OWN = ("--head_init=own",)
_GENTLY = ("--prediction_learning_rate=5e-5", "--eval_steps=75", "--save_steps=150")
WITH_BIAS = "--match_position_bias=True"
_MPNET = (
    *("--phase=joint", "--max_steps={steps}", "--learning_rate=5e-4", "--teacher={mpnet_teacher}"),
    *(_AUGMENTED, *_OFTEN),
)
_LOGITS = ("--phase=prediction", "--teacher={mpnet_teacher}")
MPNET = {
    "mpnet_logits": Row(
        "full recipe, MiniLM as teacher; then MPNet's logits",
        "task",
        (*_LOGITS, "--student={full}", *_OWN, "--prediction_max_steps=480", "--eval_steps=120", "--save_steps=480"),
        "mpnet_teacher",
    ),
    "mpnet_full": Row(
        "full recipe, MPNet as teacher in both stages", "task", (*_MPNET, "--student={mpnet_general}"), "mpnet_teacher"
    ),
    "mpnet_full_bias": Row(
        "the same, scores matched with MPNet's bias",
        "task",
        (*_MPNET, "--student={mpnet_general_bias}", WITH_BIAS),
        "mpnet_teacher",
    ),
    "mpnet_pred": Row(
        "general distillation from MiniLM, then MPNet's logits",
        "task",
        (*_LOGITS, _GENERAL, "--prediction_max_steps={steps}", "--prediction_learning_rate=2e-4", *_OFTEN),
        "mpnet_teacher",
    ),
    "mpnet_minilm": Row(
        "MiniLM-L6 itself as student of MPNet's logits, 300 steps",
        "task",
        (*_LOGITS, "--student=minilm_l6", *_OWN, "--prediction_max_steps={prediction}", *_GENTLY),
        "mpnet_teacher",
    ),
}
