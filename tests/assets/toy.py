"""A toy asset, a package index on the loopback interface that serves it, and a process that fetches it."""

import contextlib
import dataclasses
import hashlib
import http.server
import io
import json
import os
import select
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile

from tinybert_tf import assets

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
