"""What the cache survives: a full disk, damage, two processes, SIGKILL."""

import os
import re
import resource
import subprocess
import time
import zipfile

import pytest

from tests.assets.toy import (
    FILES,
    TOY_WHEEL,
    WHEEL_NAME,
    assert_nothing_left,
    contents,
    fetching,
    fill,
    toy_asset,
    wheel,
)
from tinybert_tf import assets
from tinybert_tf.errors import InputError


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
        assert index.half_sent.wait(120)
        index.go_on.set()
        lines = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert lines == [f"done {cache / 'toy'}\n"] * 2
    assert contents(cache / "toy") == FILES
    assert index.downloads == 1


def test_killed_midway(cache, index):
    index.behaviour = "hold"
    with fetching() as process:
        assert index.half_sent.wait(120)
        deadline = time.monotonic() + 120
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
