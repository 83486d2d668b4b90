"""Do our ids agree with Hugging Face's `tokenizers`, and how fast are they beside tf-text's FastBertTokenizer?

Agreement is counted on real sentences, pairs of them cut to 48 tokens, 20,000 random strings over mixed ranges of
Unicode, and every character of Unicode in the middle of a word, with a vocabulary that has each of them. Speed is
measured on batches of 256 real sentences through a sequential `tf.data` map, in CPU seconds, which other work on the
machine changes less than wall-clock seconds. Each round runs all variants, and the best round counts.

    python benchmarks/tokenizer_parity.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, like the others

import argparse
import collections
import platform
import random
import re
import time
import unicodedata
from importlib.metadata import version
from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text

from tinybert_tf import assets
from tinybert_tf.data.packaged import movie_reviews, wiki_openings
from tinybert_tf.models import BertTokenizer
from tinybert_tf.tflite.tokenizer import bert_tokenizer

BATCH, ROUNDS, TIMED_SENTENCES = 256, 20, 5_120
RANGES = (
    "20-7F 20-7F 20-7F 20-7F 00-20 7F-180 180-250 300-370 370-530 590-700 900-A00 E00-E80 1100-1200 1E00-2000 "
    "2000-2070 2070-2300 3000-3400 4E00-A000 AC00-D7A4 E000-E010 F900-FE00 FE00-10000 1D400-1D800 1F300-1F700 "
    "20000-2A6E0 00-D800 10000-110000"
)


def sentences():
    found = [s for row in wiki_openings() for s in re.split(r"(?<=[.!?])\s+", row.text) if s]
    return found + [row.text for row in movie_reviews()]


def random_texts(count, seed=0):
    rng, all_ranges = random.Random(seed), [[int(end, 16) for end in r.split("-")] for r in RANGES.split()]
    for _ in range(count):
        ranges = rng.sample(all_ranges, rng.randint(1, 5))
        codes = [rng.randrange(*rng.choice(ranges)) for _ in range(rng.randint(0, 40))]
        yield "".join(chr(c) + " " * (rng.random() < 0.1) for c in codes if not 0xD800 <= c < 0xE000)


def plain(vocabulary, lowercase):
    """Returns tf-text's tokenizer with its defaults, which most projects use."""
    return tf_text.FastBertTokenizer(vocabulary, token_out_type=tf.int32, lower_case_nfd_strip_accents=lowercase)


def differing(texts, tokenizer, theirs):
    """Yields the texts whose ids differ from Hugging Face's."""
    for start in range(0, len(texts), 4096):
        part = texts[start : start + 4096]
        expected = [row.ids for row in theirs.encode_batch(part, add_special_tokens=False)]
        yield from (text for text, row, ids in zip(part, tokenizer.tokenize(part).to_list(), expected) if row != ids)


def differing_pairs(pairs, ours, theirs, limit=48):
    theirs.enable_truncation(limit, strategy="longest_first")
    theirs.enable_padding()
    batch, expected = ours(*zip(*pairs), sequence_length=limit), theirs.encode_batch(pairs)
    rows = zip(*(batch[key].numpy().tolist() for key in ("token_ids", "segment_ids", "padding_mask")))
    theirs.no_truncation()
    theirs.no_padding()
    return sum(row != (e.ids, e.type_ids, e.attention_mask) for row, e in zip(rows, expected))


def print_agreement(vocabulary, real):
    print("| rows that differ from Hugging Face | rows | ours, uncased | plain, uncased | ours, cased | plain, cased |")
    print("|---|---|---|---|---|---|")
    pairs = list(zip(real[:40_000:2], real[1:40_000:2]))
    counts = collections.defaultdict(list)
    for lowercase in (True, False):
        ours, theirs = BertTokenizer(vocabulary, lowercase), bert_tokenizer(vocabulary, lowercase)
        counts["sentence pairs, cut to 48 tokens", len(pairs)] += [differing_pairs(pairs, ours, theirs), "-"]
        for name, texts in (("sentences", real), ("random strings", list(random_texts(20_000)))):
            for tokenizer in (ours, plain(vocabulary, lowercase)):
                counts[name, len(texts)].append(sum(1 for _ in differing(texts, tokenizer, theirs)))
    for (name, rows), cells in counts.items():
        print(f"| {name} | {rows:,} | " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in cells) + " |")


def fate(character, encode):
    """Returns what becomes of a character between two letters."""
    words = encode(f"a{character}b")
    fates = {("a", "##b"): "dropped", ("a", "b"): "a space", ("[UNK]",): "unknown, with its word"}
    if len(words) == 3 and words[0] == "a" and words[2] == "b":
        return "a word by itself"
    return fates.get(tuple(words), "part of the word")


def print_characters():
    """Prints what becomes of each character of Unicode where the two differ."""
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    pieces = [c for c in characters if unicodedata.category(c) not in ("Cn", "Co", "Cc", "Zs")]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces, *(f"##{c}" for c in pieces)]
    texts = [f"a{c}b" for c in characters]
    for lowercase in (True, False):
        ours, theirs = BertTokenizer(vocabulary, lowercase), bert_tokenizer(vocabulary, lowercase)
        kinds = collections.defaultdict(list)
        for text in differing(texts, ours, theirs):
            ours_fate = fate(text[1], lambda t, ours=ours: [vocabulary[i] for i in ours.tokenize([t]).to_list()[0]])
            theirs_fate = fate(text[1], lambda t, hf=theirs: hf.encode(t, add_special_tokens=False).tokens)
            kinds[unicodedata.category(text[1]), ours_fate, theirs_fate].append(f"U+{ord(text[1]):04X}")
        total, unlike = (
            sum(map(len, kinds.values())),
            sum(1 for _ in differing(texts, plain(vocabulary, lowercase), theirs)),
        )
        casing = "uncased" if lowercase else "cased"
        print(f"\n{casing}: {total:,} of {len(texts):,} characters differ; of FastBertTokenizer's {unlike:,}\n")
        print("| category | ours | Hugging Face | characters | for example |\n|---|---|---|---|---|")
        for kind, codes in sorted(kinds.items()):
            print(f"| {' | '.join(kind)} | {len(codes)} | {' '.join(codes[:3])} |")


def print_speed(vocabulary, real):
    real = random.Random(0).sample(real, TIMED_SENTENCES)
    ours, fast, theirs = BertTokenizer(vocabulary), plain(vocabulary, True), bert_tokenizer(vocabulary, True)
    theirs.enable_truncation(128, strategy="longest_first")

    def pack(texts):
        rows = fast.tokenize(texts)[:, :126]
        start, end = (tf.fill([rows.nrows(), 1], i) for i in (ours.cls_id, ours.sep_id))
        rows = tf.concat([start, rows, end], axis=1)
        return rows.to_tensor(), tf.zeros_like(rows).to_tensor(), tf.ones_like(rows).to_tensor()

    batches = tf.data.Dataset.from_tensor_slices(real).batch(BATCH).cache()
    variants = {
        "FastBertTokenizer, pieces alone": batches.map(lambda texts: fast.tokenize(texts).values),
        "ours, pieces alone": batches.map(lambda texts: ours.tokenize(texts).values),
        "FastBertTokenizer, packed with ragged ops": batches.map(pack),
        "ours, packed": batches.map(ours),
        "ours, pairs (two sentences per row)": batches.map(lambda texts: ours(texts, texts[::-1])),
    }
    seconds = collections.defaultdict(list)
    for _ in range(ROUNDS):
        for name, data in variants.items():
            start = time.process_time()
            for _ in data:
                pass
            seconds[name].append(time.process_time() - start)
        start = time.process_time()
        for i in range(0, 1024, BATCH):
            theirs.encode_batch(real[i : i + BATCH])
        seconds["tokenizers (Rust), one thread"].append((time.process_time() - start) * len(real) / 1024)
    base = min(seconds["FastBertTokenizer, packed with ragged ops"])
    print("\n| tokenizer | rows per CPU second | beside packed FastBertTokenizer |\n|---|---|---|")
    for name, rounds in seconds.items():
        print(f"| {name} | {len(real) / min(rounds):,.0f} | {base / min(rounds):.2f} x |")


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    packages = ", ".join(f"{p} {version(p)}" for p in ("tensorflow", "tensorflow-text", "tokenizers"))
    cpu = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    )
    print(f"Python {platform.python_version()} (Unicode {unicodedata.unidata_version}), {packages}")
    print(f"{cpu.group(1) if cpu else platform.processor()}, {os.cpu_count()} cores\n")
    vocabulary = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt").vocabulary
    real = sentences()
    print_agreement(vocabulary, real)
    print_characters()
    print_speed(vocabulary, real)


if __name__ == "__main__":
    main()
