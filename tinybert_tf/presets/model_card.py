"""Model cards: the README.md of a model folder, from the templates in `cards/`."""

import json
from pathlib import Path

from tinybert_tf import assets

_TEMPLATES = Path(__file__).with_name("cards")


def _filled(template: str, **values) -> str:
    return (_TEMPLATES / template).read_text(encoding="utf-8").format(**values)


def model_card(model, name: str) -> str:
    """Returns the default card of a saved folder: sizes, vocabulary and labels.

    Args:
        model: A model, as for `save_folder`.
        name: Name of the folder.
    """
    labels = getattr(model, "labels", None)
    return _filled(
        "plain.md",
        task=model.pipeline_tag,
        name=name,
        config=model.config,
        parameters=model.count_params(),
        casing="uncased" if model.tokenizer.lowercase else "cased",
        labels=f"\nLabels, in the order of the logits: {', '.join(labels)}.\n" if labels else "",
        kind=type(model).__name__,
    )


def losses_table(results: dict, markdown: bool = False) -> str:
    """Returns the held-out losses of the untrained and the trained student, one per line."""
    width = max(map(len, results["student"]), default=0)
    edge, bar = ("| ", " | ") if markdown else ("", "  ")
    end = " |" if markdown else ""
    rows = [f"{edge}{'held-out':{width}}{bar}untrained{bar}  student{end}"]
    if markdown:
        rows.append("| --- | --- | --- |")
    for name, value in results["student"].items():
        rows.append(f"{edge}{name:{width}}{bar}{results['untrained'][name]:9.4f}{bar}{value:9.4f}{end}")
    return "\n".join(rows)


def general_card(record: dict) -> str:
    """Returns the card of a student of general distillation.

    Args:
        record: Content of `run.json`; its results have `untrained` and `student` losses by name, `parameters`, `steps`.
    """
    settings, results = record["settings"], record["results"]
    return _filled(
        "general.md",
        **{
            name: settings[name]
            for name in ("student", "teacher", "batch_size", "sequence_length", "layer_map", "seed")
        },
        teacher_licence=_licence(settings["teacher"]),
        parameters=results["parameters"],
        version=record["versions"]["tinybert-tf"],
        corpus=", ".join(f"`{source}`{_licence(source)}" for source in settings["corpus"]),
        steps=results["steps"],
        losses=losses_table(results, markdown=True) if results["student"] else "(the corpus was too small for any)",
    )


def classifier_card(
    record: dict, task: str, started_from: str, teacher: str = "", asset: str = "", pairs: bool = False
) -> str:
    """Returns the card of a classifier.

    Args:
        record: Content of `run.json`; its results have `dev` metrics by name, `labels`, `parameters` and `steps`.
        task: Name of the task.
        started_from: Name of the model that the run began with.
        teacher: Name of the model that it was distilled from; empty if it learned from labels.
        asset: Packaged asset that the task is read from, if any.
        pairs: Whether the classifier has learned from pairs of texts.
    """
    row = {"text": "A fine film.", "text_pair": "I liked it."}
    texts = [json.dumps(text) for text in row.values()][: 1 + pairs]
    return _filled(
        "classifier.md",
        texts=", ".join(texts),
        batch=", ".join(f"[{text}]" for text in texts),
        row=json.dumps(row) if pairs else texts[0],
        **_learned(record, task, started_from, teacher),
        labels=", ".join(record["results"]["labels"]),
        task_licence=_licence(asset),
    )


def question_answerer_card(record: dict, task: str, started_from: str, teacher: str = "") -> str:
    """Returns the card of a question answerer.

    Args:
        record: Content of `run.json`; its results have `dev` metrics by name, `parameters` and `steps`.
        task: Name of the task.
        started_from: Name of the model that the run began with.
        teacher: Name of the model that it was distilled from; empty if it learned from labels.
    """
    return _filled("question_answerer.md", **_learned(record, task, started_from, teacher))


def _learned(record: dict, task: str, started_from: str, teacher: str) -> dict:
    """Returns what the cards say of every model that has learned a task."""
    results = record["results"]
    what, rows = "A BERT fine-tuned on labels.", f"| started from | `{started_from}` |"
    if teacher:
        what = f"A BERT student distilled from `{teacher}`, as in TinyBERT (arXiv 1909.10351)."
        rows = f"| teacher | `{teacher}` |\n{rows}"
    dev = {name: value for name, value in results["dev"].items() if name != "score"}
    return {
        "tags": "tinybert, distillation, bert" if teacher else "bert",
        "task": task,
        "what": what,
        "version": record["versions"]["tinybert-tf"],
        "parameters": results["parameters"],
        "rows": rows + _recipe(record["settings"]),
        "steps": results["steps"],
        "seed": record["settings"]["seed"],
        "dev": ", ".join(f"{name} {value:.4f}" for name, value in dev.items()) or "not measured",
    }


def _recipe(settings: dict) -> str:
    """Returns a row for each of the settings that say how a model learned, as far as the record has them."""
    names = ("batch_size", "sequence_length")
    if settings.get("teacher", "-") and settings.get("phase") != "prediction":
        names = ("layer_map", "learning_rate", *names)
    rows = [f"| {name.replace('_', ' ')} | {settings[name]} |" for name in names if settings.get(name)]
    return "".join(f"\n{row}" for row in rows)


def _licence(name: str) -> str:
    return f" ({assets.ASSETS[name].licence})" if name in assets.ASSETS else ""
