"""Command line: `python -m tinybert_tf.tflite.classify --model=student.tflite "A fine film."`, without TensorFlow."""

import argparse
import json
import os
import signal
import sys
import time

from tinybert_tf.errors import InputError
from tinybert_tf.tflite.classifier import TextClassifier


def main(argv: list[str] | None = None) -> int:
    """Writes one JSON object per text to standard output; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tinybert_tf.tflite.classify",
        description="Classifies texts with an exported student; needs ai-edge-litert and tokenizers only. "
        "The label is null where the student abstains.",
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="texts; by default standard input, one text per line")
    parser.add_argument("--model", required=True, help="a student.tflite that --stage=export wrote")
    parser.add_argument("--text_pair", help="the second text of each pair")
    parser.add_argument("--num_threads", type=int, default=1, help="threads that LiteRT computes with (1)")
    parser.add_argument("--threshold", type=float, default=0.5, help="least probability of one of several labels (0.5)")
    parser.add_argument("--latency", action="store_true", help="also say how many milliseconds each answer took")
    options = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):  # characters that a terminal lacks are escaped
        stream.reconfigure(errors="backslashreplace")
    try:
        classifier = TextClassifier(options.model, options.num_threads, options.threshold)
        for text in options.texts or _lines():
            start = time.perf_counter()
            answer = classifier(text, options.text_pair)
            row = {"text": text} | ({} if options.text_pair is None else {"text_pair": options.text_pair}) | answer
            if options.latency:
                row["latency_ms"] = round(1e3 * (time.perf_counter() - start), 2)
            print(json.dumps(row, ensure_ascii=False), flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read the output has enough: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _lines():
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    yield from (line.rstrip("\n") for line in sys.stdin)


if __name__ == "__main__":
    sys.exit(main())
