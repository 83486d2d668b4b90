"""Writes losses.json: inputs, and the losses that the NumPy reference computes from them. Run once, and never to
make a test pass:

    python -m tests.golden.make_losses
"""

import json
from pathlib import Path

import numpy as np

from tests.reference import losses_numpy

FILE = Path(__file__).with_name("losses.json")


def cases():
    """Every case, by name: the loss, its inputs (three decimals, so that the file says all) and what is expected."""
    rng = np.random.default_rng(2019)

    def numbers(*shape):
        return rng.normal(0, 2, shape).round(3).tolist()

    made = {}
    for name, mask in {
        "unpadded": [[1, 1, 1]],
        "padded": [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]],
        "padded in the middle": [[1, 0, 1, 1], [0, 1, 1, 0]],
    }.items():
        scores, states = (len(mask), 3, len(mask[0]), len(mask[0])), (len(mask), len(mask[0]))
        made[f"attention, {name}"] = case(
            "attention", student=numbers(*scores), teacher=numbers(*scores), padding_mask=mask
        )
        made[f"hidden, {name}"] = case(
            "hidden",
            student=numbers(*states, 3),
            teacher=numbers(*states, 5),
            padding_mask=mask,
            projection=numbers(3, 5),
        )
    for temperature in (1.0, 0.5, 4.0):
        made[f"prediction, temperature {temperature}"] = case(
            "prediction", student=numbers(4, 3), teacher=numbers(4, 3), temperature=temperature
        )
    extreme = {"student": [[60.0, -60.0], [60.0, -60.0]], "teacher": [[-60.0, 60.0], [0.0, 0.0]]}
    made["prediction, extreme"] = case("prediction", **extreme, temperature=1.0)
    made["regression"] = case("prediction", student=numbers(4, 1), teacher=numbers(4, 1), temperature=2.0)
    return made | relations()


def relations():
    """The cases of the relation loss, from numbers of their own: those above stay what they were."""
    rng, made = np.random.default_rng(2020), {}
    for name, heads, widths, mask in (
        ("unpadded", 1, (2, 2), [[1, 1, 1]]),
        ("padded", 2, (4, 6), [[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]]),
        ("padded in the middle", 4, (8, 4), [[1, 0, 1, 1], [0, 1, 1, 0]]),
    ):
        student, teacher = (
            rng.normal(0, 1, (len(mask), len(mask[0]), 3 * width)).round(3).tolist() for width in widths
        )
        inputs = {"student": student, "teacher": teacher, "padding_mask": mask, "relation_heads": heads}
        made[f"relation, {name}"] = case("relation", **inputs)
    return made


def case(loss, **inputs):
    expected = getattr(losses_numpy, f"{loss}_loss")(**inputs)
    return {"loss": loss, "inputs": inputs, "expected": expected}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(content)}" for name, content in cases().items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
