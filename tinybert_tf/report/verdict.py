"""What an evaluation says in sentences."""

from tinybert_tf.evaluation.baselines import MAJORITY, NAMES, TFIDF


def kept(values: dict) -> list[str]:
    """Returns a sentence on what a student keeps of its teacher; [] where there is none.

    Args:
        values: A split's results, as in `run.json`.
    """
    if "teacher_metrics" not in values:
        return []
    metric = next(iter(values["metrics"]))
    ours, theirs = values["metrics"][metric], values["teacher_metrics"][metric]
    low, high = values["difference_intervals"][metric]
    share = f"{100 * ours / theirs:.1f} % of its teacher's" if theirs else "none of its teacher's"
    return [
        f"The student keeps {share} {metric.replace('_', ' ')}: {100 * ours:.2f} of {100 * theirs:.2f} "
        f"(difference {100 * (ours - theirs):+.2f} points; 95 % interval: {100 * low:+.2f} to {100 * high:+.2f})."
    ]


def worth_it(values: dict) -> list[str]:
    """Returns a sentence on whether a model beats the linear baseline; [] where there is none.

    Args:
        values: A split's results, with `baselines`.
    """
    found = values.get("baselines", {}).get(TFIDF) or values.get("baselines", {}).get(MAJORITY)
    if not found:
        return []
    metric = next(iter(values["metrics"]))
    ours, theirs = values["metrics"][metric], found["metrics"][metric]
    low, high = found["difference_intervals"][metric]
    name = NAMES[TFIDF if TFIDF in values["baselines"] else MAJORITY]
    numbers = f"{100 * theirs:.2f}, {100 * (ours - theirs):+.2f} points for the model"
    numbers += f"; 95 % interval: {100 * low:+.2f} to {100 * high:+.2f}"
    if low > 0:
        return [f"It is better than {name}, which takes seconds to train ({numbers})."]
    return [
        f"It is not shown to be better than {name}, which takes seconds to train ({numbers}): not worth it as it is."
    ]


def cost(files: dict[str, dict]) -> list[str]:
    """Returns a sentence on size and time of the int8 file; [] if it was not measured.

    Args:
        files: What `measured_files` has measured.
    """
    if "int8" not in files:
        return []
    found = files["int8"]
    sentence = f"As an int8 file it has {found['size_bytes'] / 1e6:.1f} MB"
    sentence += f" and takes {found['milliseconds_a_text']:.1f} ms per text on one thread of this machine"
    if "teacher" in files:
        times = files["teacher"]["milliseconds_a_text"] / found["milliseconds_a_text"]
        smaller = files["teacher"]["size_bytes"] / found["size_bytes"]
        sentence += f": {smaller:.1f} times smaller and {times:.1f} times as fast as its teacher in float32"
    return [sentence + "."]
