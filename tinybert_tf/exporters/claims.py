"""What may be claimed of each exported file, in one table: size, metrics, distance from the Keras model, time."""

FILE = "measured.md"
# Titles of what there is where probabilities are calibrated, or files abstain; see `Calibration.measured`.
_CERTAINTY = {"calibration_error": "cal. error", "coverage": "answers", "answered_accuracy": "right"}
_MARKDOWN = """# What was measured of each file

{table}

{texts}. Metrics are times 100; differences are of probabilities, or of numbers for regression. Times are from text to
answer, one text per call in one thread, on the machine that exported.
"""


def table(results: dict) -> list[list[str]]:
    """Returns the rows: the titles, the Keras model, and each file.

    Args:
        results: What `--stage=export` measured: `texts`, `keras`, and `files` by name.
    """
    keras = results["keras"]
    certainty = [key for key in _CERTAINTY if key in keras]
    distances = [*map(_CERTAINTY.get, certainty), "same answer", "mean diff.", "max diff.", "ms per text"]
    found = [[f"{results['texts']:,} texts", "format", "size", "smaller", *keras["metrics"], *distances]]
    for name, values in {"Keras": {"variant": "float32", **keras}, **results["files"]}.items():
        ratio = keras["size_bytes"] / values["size_bytes"]
        row = [name, values["variant"], f"{values['size_bytes'] / 1e6:.2f} MB", f"{ratio:.1f} x"]
        row += [f"{100 * values['metrics'][metric]:.2f}" for metric in keras["metrics"]]
        row += [_percent(values[key]) for key in certainty]
        row.append(f"{100 * values['agreement']:.2f} %" if "agreement" in values else "")
        row += [f"{values[key]:.1e}" if key in values else "" for key in ("mean_difference", "max_difference")]
        row.append(f"{values['milliseconds_a_text']:.2f}" if "milliseconds_a_text" in values else "")
        found.append(row)
    return found


def plain(results: dict) -> list[str]:
    """Returns the table as lines for a terminal, and the sentences."""
    lines = [row[0].ljust(26) + "".join(f"{cell:>12}" for cell in row[1:]) for row in table(results)]
    return lines + sentences(results)


def sentences(results: dict) -> list[str]:
    """Returns what was done to probabilities, and what they are worth; nothing if nothing was.

    Args:
        results: As for `table`, with `calibration`, the fields of `abstaining.Calibration`.
    """
    done, keras, found = results.get("calibration", {}), results["keras"], []
    if temperature := done.get("temperature"):
        line = f"Temperature {temperature:.2f}, fitted on {done['dev_texts']:,} texts of dev"
        if "uncalibrated_error" in keras:
            errors = _percent(keras["uncalibrated_error"]), _percent(keras["calibration_error"])
            line += ": expected calibration error {} before, {} after".format(*errors)
        found.append(f"{line}.")
    if cuts := done.get("cuts"):
        fitted = f"{sum(map(bool, cuts))} of {len(cuts)} classes"
        line = f"Thresholds of {fitted}, fitted on {done['dev_texts']:,} texts of dev"
        for name, before in keras.get("metrics_at_half", {}).items():
            line += f"; {name} {100 * before:.2f} before, {100 * keras['metrics'][name]:.2f} after"
        found.append(f"{line}.")
    if threshold := done.get("abstain_below"):
        line = f"Below a probability of {threshold} a file abstains"
        if "coverage" in keras:
            answers, right = _percent(keras["coverage"]), _percent(keras["answered_accuracy"])
            line += f": Keras answers {answers} of the texts" + (f", {right} of them right" if right else "")
        found.append(f"{line}.")
    return found


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def markdown(results: dict) -> str:
    """Returns the table as a page that goes with the files.

    Args:
        results: As for `table`, with `task`, whose texts they are; "" for random words.
    """
    texts = (
        f"The texts are those of the task {results['task']}"
        if results["task"]
        else "The texts are random words, without labels"
    )
    return _MARKDOWN.format(table=rows(results), texts=texts)


def rows(results: dict) -> str:
    """Returns the table in Markdown, and the sentences as paragraphs."""
    titles, *found = table(results)
    lines = "\n".join(f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *found))
    return "\n\n".join([lines, *sentences(results)])
