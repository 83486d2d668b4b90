"""The card of a model on the Hugging Face hub: the folder's own, with what the export measured."""

import yaml

from tinybert_tf.errors import InputError
from tinybert_tf.exporters import claims

_PLACE = "\n## Use\n"
_MEASURED = """
## Results

{intervals}

{table}

{texts}. Metrics are times 100; differences are of probabilities from the Keras model's, or of numbers for regression.
Times are from text to answer, one text per call in one thread, on the machine that exported.
"""


def hub_card(card: str, repository: str, results: dict, licence: str = "") -> str:
    """Returns a card with the hub's metadata (`model-index`, licence) and a table of what was measured of each file.

    Args:
        card: The folder's README.md.
        repository: Name on the hub, USER/NAME.
        results: What `--stage=export` measured, as its `run.json` has it.
        licence: Identifier of the model's licence, such as mit; "" to leave it open.

    Raises:
        InputError: The card's metadata cannot be read.
    """
    from huggingface_hub import EvalResult, ModelCard

    task, split = results["task"], results["split"]
    metrics, intervals = results["keras"]["metrics"], results["keras"]["intervals"]
    try:
        told = ModelCard(card, ignore_metadata_errors=True)
    except (ValueError, yaml.YAMLError) as error:
        got = f"a README.md whose metadata cannot be read ({' '.join(str(error).split())[:200]})"
        raise InputError("model", got, "YAML, as the hub has it") from None
    told.data.model_name = repository.split("/")[-1]
    told.data.license = licence or told.data.license
    told.data.eval_results = [
        EvalResult(
            task_type=told.data.pipeline_tag or "text-classification",
            dataset_type=task,
            dataset_name=task,
            dataset_split=split,
            dataset_args={"texts": results["texts"]},
            metric_type=name,
            metric_value=round(value, 6),
        )
        for name, value in metrics.items()
    ] or None
    lines = [
        f"{name} {100 * value:.2f} (95 % interval: {100 * intervals[name][0]:.2f} to {100 * intervals[name][1]:.2f})"
        for name, value in metrics.items()
    ]
    texts = (
        f"{results['texts']:,} texts of the {split} split of {task}"
        if task
        else "The texts are random words, without labels"
    )
    measured = _MEASURED.format(
        intervals="; ".join(lines) or "No labelled texts were at hand.",
        table=claims.rows(_uploaded(results)),
        texts=texts,
    )
    body = told.text.replace('from_preset("this/folder")', f'from_preset("hf://{repository}")')
    body, place = body.replace("this/folder", repository), _PLACE
    told.text = body.replace(place, measured + place, 1) if place in body else body + measured
    return str(told)


def uploaded_files(results: dict) -> list[str]:
    """Returns the names of the exported files that are uploaded: no folders, and not the file of a web page."""
    return [name for name in results["files"] if "." in name and not name.startswith("web/")]


def _uploaded(results: dict) -> dict:
    """Returns the results of the files that are uploaded."""
    return results | {"files": {name: results["files"][name] for name in uploaded_files(results)}}
