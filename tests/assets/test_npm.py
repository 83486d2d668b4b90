"""Fetching packages of npm's registry, with real npm and a registry on the loopback interface."""

import base64
import dataclasses
import hashlib
import http.server
import json
import shutil
import threading

import pytest

from tests.assets.toy import assert_nothing_left, sha256, tar_gz
from tinybert_tf import assets
from tinybert_tf.errors import InputError

FILES = {"package.json": b'{"name": "@toy/toy", "version": "1.0.0"}', "dist/a.js": b"export {};\n"}
PACKED = {f"package/{name}": content for name, content in FILES.items()} | {"package/b.js": b""}
ARCHIVE = tar_gz(PACKED)
DIGESTS = {name: sha256(content) for name, content in FILES.items()}
TOY = assets.Asset("@toy/toy@1.0.0", sha256(ARCHIVE), "package/", DIGESTS, "MIT")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_archive = self.path.endswith(".tgz")
        host, integrity = self.headers["Host"], base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()
        dist = {"tarball": f"http://{host}/toy.tgz", "integrity": f"sha512-{integrity}"}
        version = {"name": "@toy/toy", "version": "1.0.0", "dist": dist}
        listed = {"name": "@toy/toy", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        body = ARCHIVE if is_archive else json.dumps(listed).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if is_archive else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(cache, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setitem(assets.ASSETS, "toy", TOY)
    yield cache
    server.shutdown()
    server.server_close()


@needs_npm
def test_only_the_named_files_are_unpacked(registry):
    folder = assets.fetch("toy")
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == FILES
    assert_nothing_left(registry, but="toy")


@needs_npm
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sha256": "0" * 64}, r"got @toy/toy@1.0.0 with sha256 [0-9a-f]{64}; expected 0{64}$"),
        ({"package": "@toy/toy@2.0.0"}, r"got no @toy/toy@2.0.0 \(.*No matching version.*\); expected a registry"),
    ],
)
def test_another_package_is_refused(registry, monkeypatch, change, told):
    monkeypatch.setitem(assets.ASSETS, "toy", dataclasses.replace(TOY, **change))
    with pytest.raises(InputError, match="^toy: " + told):
        assets.fetch("toy")
    assert_nothing_left(registry)


def test_a_system_without_npm(registry, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"^toy: got a system without npm; expected npm, which downloads it: Node.js"):
        assets.fetch("toy")
    assert_nothing_left(registry)
