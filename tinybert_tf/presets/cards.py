"""Model cards: the README.md in a student's folder."""

from tinybert_tf import assets
from tinybert_tf.settings.stages import GeneralConfig

_GENERAL = """---
library_name: transformers
pipeline_tag: feature-extraction
language: en
tags: [tinybert, distillation, bert]
---

# A general TinyBERT student

A BERT of the shape `{student}` ({parameters:,} parameters) that imitates the layers of `{teacher}`: general
distillation as in TinyBERT (arXiv 1909.10351), made with tinybert_tf {version}. It knows no task. Fine-tune it, or
distil a fine-tuned teacher into it.

## Training

| | |
| --- | --- |
| teacher | `{teacher}`{teacher_licence} |
| text | {corpus} |
| updates | {steps} of {batch_size} sequences of {sequence_length} tokens |
| layer map | {layer_map} |
| seed | {seed} |

Losses on text held out by a hash of the document, before and after:

{losses}

All settings, versions and input hashes are in `run.json` of the run that made it.

## Use

```python
from tinybert_tf.models import BertEncoder        # or transformers' BertModel, or keras-hub's BertBackbone

student = BertEncoder.from_preset("this/folder")
outputs = student(student.tokenizer(["A fine film."]), return_intermediates=True)
```

## Limits

English, as its teacher and its text. What its teacher gets wrong, or was biased by, it has learned to imitate.
"""


def losses_table(results: dict, markdown: bool = False) -> str:
    """Returns the held-out losses of the untrained and the trained student, one a line."""
    width = max(map(len, results["student"]), default=0)
    edge, bar = ("| ", " | ") if markdown else ("", "  ")
    end = " |" if markdown else ""
    rows = [f"{edge}{'held-out':{width}}{bar}untrained{bar}  student{end}"]
    if markdown:
        rows.append("| --- | --- | --- |")
    for name, value in results["student"].items():
        rows.append(f"{edge}{name:{width}}{bar}{results['untrained'][name]:9.4f}{bar}{value:9.4f}{end}")
    return "\n".join(rows)


def general_card(config: GeneralConfig, record: dict, results: dict) -> str:
    """Returns the card of a student of general distillation.

    Args:
        config: the run's settings.
        record: the content of `run.json`.
        results: `untrained` and `student` losses by name, `parameters` and `updates`.
    """

    def licence(name):
        return f" ({assets.ASSETS[name].licence})" if name in assets.ASSETS else ""

    return _GENERAL.format(
        student=config.student,
        teacher=config.teacher,
        teacher_licence=licence(config.teacher),
        parameters=results["parameters"],
        version=record["versions"]["tinybert-tf"],
        corpus=", ".join(f"`{source}`{licence(source)}" for source in config.corpus),
        steps=results["updates"],
        batch_size=config.batch_size,
        sequence_length=config.sequence_length,
        layer_map=config.layer_map,
        seed=config.seed,
        losses=losses_table(results, markdown=True) if results["student"] else "(the corpus was too small for any)",
    )


_CLASSIFIER = """---
library_name: transformers
pipeline_tag: text-classification
tags: [{tags}]
---

# A text classifier for {task}

{what} Made with tinybert_tf {version}; {parameters:,} parameters.

Labels, in the order of the logits: {labels}.

| | |
| --- | --- |
| task | `{task}`{task_licence} |
{rows}
| updates | {updates} |
| seed | {seed} |

On the dev examples, on which checkpoints were chosen: {dev}. `--stage=evaluate` gives the test results. All settings,
versions and input hashes are in `run.json` of the run that made it.

## Use

```python
from tinybert_tf.models import BertClassifier        # or transformers' BertForSequenceClassification

classifier = BertClassifier.from_preset("this/folder")
logits = classifier(classifier.tokenizer(["A fine film."]))
```
"""


def classifier_card(config, record: dict, task, results: dict, teacher: str = "") -> str:
    """Returns the card of a classifier.

    Args:
        config: the run's settings.
        record: the content of `run.json`.
        task: the `Task`.
        results: `dev` metrics by name, `labels`, `parameters` and `updates`.
        teacher: the fine-tuned model that it was distilled from, or nothing where it learned from labels.
    """
    if teacher:
        what = f"A BERT student distilled from `{teacher}`, as in TinyBERT (arXiv 1909.10351)."
        rows = f"| teacher | `{teacher}` |\n| started from | `{config.student}` |"
    else:
        what, rows = "A BERT fine-tuned on labels.", f"| started from | `{config.teacher}` |"
    licence = {"movie_reviews": "movie_reviews", "wiki_topics": "wiki_openings"}.get(task.name)
    dev = {name: value for name, value in results["dev"].items() if name != "score"}
    return _CLASSIFIER.format(
        tags="tinybert, distillation, bert" if teacher else "bert",
        task=task.name,
        what=what,
        version=record["versions"]["tinybert-tf"],
        parameters=results["parameters"],
        labels=", ".join(results["labels"]),
        task_licence=f" ({assets.ASSETS[licence].licence})" if licence else "",
        rows=rows,
        updates=results["updates"],
        seed=config.seed,
        dev=", ".join(f"{name} {value:.4f}" for name, value in dev.items()) or "not measured",
    )
