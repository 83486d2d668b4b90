"""How do texts in other languages become ids: tokens, unknown words, and rows that differ from Hugging Face's?

    python benchmarks/languages.py --model=runs/vocabulary chinese.txt korean.txt

Each line of a file is a text. Rows are compared alone and, two after two, as pairs cut to 48 tokens.
"""

import argparse
from pathlib import Path

from tokenizer_parity import differing, differing_pairs

from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.tflite.tokenizer import bert_tokenizer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    ours = open_preset(options.model).tokenizer
    theirs = bert_tokenizer(ours.vocabulary, **ours.normalization)
    print("| file | texts | characters per token | unknown | texts that differ | pairs that differ |")
    print("|---|---|---|---|---|---|")
    for file in options.files:
        texts = [line for line in Path(file).read_text(encoding="utf-8").splitlines() if line.strip()]
        ids = ours.tokenize(texts).flat_values.numpy()
        unknown = (ids == ours.unk_id).mean()
        pairs = list(zip(texts[::2], texts[1::2]))
        density = sum(map(len, texts)) / len(ids)
        alone = sum(1 for _ in differing(texts, ours, theirs))
        cells = (Path(file).name, f"{len(texts):,}", f"{density:.2f}", f"{100 * unknown:.2f} %", alone)
        print(f"| {' | '.join(map(str, cells))} | {differing_pairs(pairs, ours, theirs)} |")


if __name__ == "__main__":
    main()
