"""LiteRT for the demo's tests on the JVM: `python engine.py MODEL` reads a row per line, writes its numbers."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

NAMES = "token_ids", "segment_ids", "padding_mask"


def main():
    run = Interpreter(sys.argv[1]).get_signature_runner("serving_default")
    for line in sys.stdin:
        rows = [np.array([[int(value) for value in row.split()]], np.int32) for row in line.split(";")]
        outputs = run(**dict(zip(NAMES, rows, strict=True)))
        names = ("start_logits", "end_logits") if "start_logits" in outputs else tuple(outputs)
        sys.stdout.write(" ".join(repr(float(value)) for name in names for value in outputs[name][0]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
