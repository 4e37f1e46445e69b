"""A packed folder gives the bytes of its files, in every process, and is an archive that others can read."""

from __future__ import annotations

import multiprocessing
import pickle
import sqlite3
import zlib
from pathlib import Path

import pytest

from pysot.datasets.packed import PackedFolder, is_packed, pack_folder
from pysot.utils import InputError

FILES = {"a/b/1.jpg": b"one" * 20000, "a/2.jpg": b"two", "größe.png": bytes(range(256)), "empty": b""}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_bytes(data)
    counts: list[int] = []
    assert pack_folder(tmp_path / "files", tmp_path / "files.sqlar", counts.append) == len(FILES) == sum(counts)
    return tmp_path / "files.sqlar"


def test_the_files_come_back(archive: Path):
    packed = PackedFolder(str(archive))
    assert is_packed(archive)
    assert not is_packed(archive.with_suffix(""))
    assert {name: packed.read(name) for name in FILES} == FILES
    assert {name: pickle.loads(pickle.dumps(packed)).read(name) for name in FILES} == FILES
    with pytest.raises(FileNotFoundError, match=r"no b\.jpg in .*files\.sqlar"):
        packed.read("b.jpg")


def _check(packed: PackedFolder) -> None:
    raise SystemExit(0 if all(packed.read(name) == data for name, data in FILES.items() for _ in range(50)) else 1)


def test_forked_processes_read_at_the_same_time(archive: Path):
    packed = PackedFolder(str(archive))
    packed.read("a/2.jpg")  # a connection that the children must not use
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_check, args=(packed,)) for _ in range(3)]
    for process in processes:
        process.start()
    assert packed.read("a/b/1.jpg") == FILES["a/b/1.jpg"]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0


def test_the_archive_is_what_sqlite_s_own_tool_makes(archive: Path):
    connection = sqlite3.connect(archive)
    with connection:
        assert {name: data for name, data in connection.execute("SELECT name, data FROM sqlar")} == FILES
        # Its own tool compresses what gets smaller.
        data = zlib.compress(FILES["a/b/1.jpg"])
        connection.execute("INSERT INTO sqlar VALUES ('c', 33188, 0, ?, ?)", (len(FILES["a/b/1.jpg"]), data))
    connection.close()
    assert PackedFolder(str(archive)).read("c") == FILES["a/b/1.jpg"]


def test_what_cannot_be_packed_or_read_is_named(tmp_path: Path, archive: Path):
    with pytest.raises(InputError, match=r"expected a file named \*\.sqlar outside of"):
        pack_folder(tmp_path / "files", tmp_path / "files.zip")
    with pytest.raises(InputError, match=r"expected a file named \*\.sqlar outside of"):
        pack_folder(tmp_path / "files", tmp_path / "files" / "inner.sqlar")
    with pytest.raises(InputError, match="expected a folder to pack"):
        pack_folder(tmp_path / "absent", tmp_path / "x.sqlar")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no files to pack"):
        pack_folder(tmp_path / "nothing", tmp_path / "x.sqlar")
    assert not (tmp_path / "x.sqlar").exists()
    archive.write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match=r"files\.sqlar: a: file is not a database"):
        PackedFolder(str(archive)).read("a")
