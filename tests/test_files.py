"""Files and folders are written whole or not at all; their content is on the disk before they have their name."""

import os
import platform
from pathlib import Path

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.files import json_text, read_json, sweep, write_folder, write_text, write_whole


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def synced(monkeypatch):
    """The inodes that were on the disk, each with the names that it had when it was synced."""
    inodes, fsync = set(), os.fsync
    monkeypatch.setattr("os.fsync", lambda descriptor: inodes.add(os.fstat(descriptor).st_ino) or fsync(descriptor))
    return inodes


def test_json_comes_back(tmp_path):
    write_text(tmp_path / "a.json", json_text({"text": "é", "numbers": [1, 2.5]}))
    assert read_json(tmp_path / "a.json") == {"text": "é", "numbers": [1, 2.5]}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "a.json, which is not JSON"),
        (b"\xff{", "a.json, which is not JSON"),
        (b"[" * 100_000, "a.json, which is not JSON"),
        (b"[]", "a.json with a list; expected a JSON object"),
        (None, "no file .*a.json"),
    ],
)
def test_what_is_no_json_object_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=f"^model: got .*{message}") as caught:
        read_json(tmp_path / "a.json", "model")
    assert "\n" not in str(caught.value)


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, synced, monkeypatch):
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: synced.__contains__(self.stat().st_ino) and replace(self, to))
    write_text(tmp_path / "a.txt", "new")
    with write_whole(tmp_path / "b.bin", "wb") as stream:
        stream.write(b"more")
    assert contents(tmp_path) == {"a.txt": "new", "b.bin": "more"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_that_fails_leaves_the_old_one(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(type(error)), write_whole(tmp_path / "a.txt") as stream:
        stream.write("half")
        raise error
    assert contents(tmp_path) == {"a.txt": "old"}


def test_text_is_utf8_with_plain_newlines(tmp_path):
    write_text(tmp_path / "a.txt", "é\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\nb\n".encode()


def test_a_new_folder_appears_in_one_step(tmp_path, synced):
    with write_folder(tmp_path / "deep" / "made", last="last.json") as partial:
        (partial / "last.json").write_text("{}")
        (partial / "sub").mkdir()
        (partial / "sub" / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "made").exists()
    made = tmp_path / "deep" / "made"
    assert contents(made) == {"last.json": "{}", "sub/a.txt": "a"} and list(made.parent.iterdir()) == [made]
    assert {(made / name).stat().st_ino for name in contents(made)} <= synced


def test_a_folder_keeps_its_other_files(tmp_path):
    for name in ("mine.txt", "obsolete.json", "last.json"):
        (tmp_path / name).write_text("old")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "gone.txt").write_text("old")
    with write_folder(tmp_path, last="last.json", obsolete=["obsolete.json", "none.json"]) as partial:
        (partial / "last.json").write_text("new")
        (partial / "sub").mkdir()
        (partial / "sub" / "a.txt").write_text("new")
    assert contents(tmp_path) == {"mine.txt": "old", "last.json": "new", "sub/a.txt": "new"}


def test_the_last_file_goes_first_and_comes_last(tmp_path, monkeypatch):
    for name in ("a.txt", "last.json", "z.txt"):
        (tmp_path / name).write_text("old")
    seen, replace = [], Path.replace

    def spy(self, target):
        seen.append((target.name, (tmp_path / "last.json").exists()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    with write_folder(tmp_path, last="last.json") as partial:
        for name in ("a.txt", "last.json", "z.txt"):
            (partial / name).write_text("new")
    assert seen[-1] == ("last.json", False) and sorted(seen[:-1]) == [("a.txt", False), ("z.txt", False)]


def test_a_folder_that_fails_is_as_it_was(tmp_path):
    (tmp_path / "last.json").write_text("old")
    with pytest.raises(OSError, match="full"), write_folder(tmp_path, last="last.json") as partial:
        (partial / "last.json").write_text("half")
        raise OSError(28, "full")
    assert contents(tmp_path) == {"last.json": "old"} and len(list(tmp_path.iterdir())) == 1


HOST = platform.node()
DEAD = 2**22 + 1  # more than any process's number on Linux


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    (tmp_path / f".new.{HOST}.{DEAD}.partial").mkdir()
    (tmp_path / f".new.{HOST}.{DEAD}.partial" / "half.txt").write_text("half")
    (tmp_path / f".b.txt.{HOST}.{DEAD}.partial").write_text("half")
    with write_folder(tmp_path) as partial:
        (partial / "a.txt").write_text("a")
    write_text(tmp_path / "b.txt", "b")
    assert contents(tmp_path) == {"a.txt": "a", "b.txt": "b"}


@pytest.mark.parametrize(("host", "process"), [(HOST, os.getppid()), ("another", DEAD)])
def test_what_another_process_is_writing_stays(tmp_path, host, process):
    """Two writers of one name, maybe on two machines: each has a file of its own, and the last one wins whole."""
    theirs = f".a.txt.{host}.{process}.partial"
    (tmp_path / theirs).write_text("half of theirs")
    write_text(tmp_path / "a.txt", "ours")
    assert contents(tmp_path) == {"a.txt": "ours", theirs: "half of theirs"}
    sweep(tmp_path)  # when nobody writes any more
    assert contents(tmp_path) == {"a.txt": "ours"}


def test_a_folder_in_a_files_place_is_seen_before_anything_is_gone(tmp_path):
    (tmp_path / "last.json").write_text("old")
    (tmp_path / "z.txt").mkdir()
    with pytest.raises(IsADirectoryError), write_folder(tmp_path, last="last.json") as partial:
        for name in ("a.txt", "last.json", "z.txt"):
            (partial / name).write_text("new")
    assert contents(tmp_path) == {"last.json": "old"}
