"""Where files are kept, what a check says about them, and that a fault never gets past it."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import io
import os
import sys
import time
from pathlib import Path

import pytest
from zoo_wheels import checkpoint_bytes, wheel_entry

from pysot.utils import DownloadError, InputError
from pysot.zoo import FileState, LocalFile, ZooEntry, add_file, cache_folder, cached_path, check, fetch
from pysot.zoo import cache as cache_module
from pysot.zoo.cache import copy_hashed, record_path, staging_folder, store

CONTENT = checkpoint_bytes(0, 5000)
KNOWN = wheel_entry(CONTENT)
UNKNOWN = dataclasses.replace(KNOWN, name="unknown", sha256=None, size_bytes=None)


@pytest.fixture
def clean_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("PYSOT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return monkeypatch


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/pysot/zoo"),
        ("darwin", "Library/Caches/pysot/zoo"),
        ("win32", "AppData/Local/pysot/zoo"),
    ],
)
def test_each_system_has_its_own_place(clean_env, tmp_path, platform, expected):
    clean_env.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / expected


def test_environment_and_argument_win_in_order(clean_env, tmp_path):
    clean_env.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_folder() == cache_folder(tmp_path / ".cache/pysot/zoo")
    clean_env.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "pysot" / "zoo"
    clean_env.setenv("PYSOT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    clean_env.chdir(tmp_path)
    assert cache_folder("given") == tmp_path / "given"


def test_a_known_hash_tells_right_truncated_and_altered(cache):
    assert check(KNOWN, cache).state is FileState.ABSENT
    cache.mkdir()
    path = cached_path(KNOWN, cache)
    path.write_bytes(CONTENT)
    assert check(KNOWN, cache).state is FileState.VERIFIED
    path.write_bytes(CONTENT[:-1])
    report = check(KNOWN, cache)
    assert (report.state, report.detail) == (FileState.WRONG, "4,999 bytes, expected 5,000 (truncated?)")
    altered = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    path.write_bytes(altered)
    report = check(KNOWN, cache)
    assert report.state is FileState.WRONG
    assert report.detail == f"sha256 {hashlib.sha256(altered).hexdigest()}, expected {KNOWN.sha256}"


def test_an_unknown_hash_is_recorded_and_holds_from_then_on(cache, tmp_path):
    given = tmp_path / "model.pth"
    given.write_bytes(CONTENT)
    path = add_file(UNKNOWN, given, cache_dir=cache)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert record_path(path).read_text() == f"{sha256}  unknown.pth\n"
    report = check(UNKNOWN, cache)
    assert report.state is FileState.UNVERIFIED
    assert report.detail == "no published hash; unchanged since it arrived"
    path.write_bytes(CONTENT + b"x")
    report = check(UNKNOWN, cache)
    assert report.state is FileState.WRONG
    assert report.detail.startswith("changed since it arrived: sha256 ")
    assert report.detail.endswith(f", was {sha256}")


def test_a_file_put_there_by_hand_is_recorded_at_its_first_use(cache):
    cache.mkdir()
    path = cached_path(UNKNOWN, cache)
    path.write_bytes(CONTENT)
    assert check(UNKNOWN, cache).detail == "no published hash; no hash recorded yet"
    assert fetch(UNKNOWN, cache_dir=cache) == path
    assert check(UNKNOWN, cache).detail == "no published hash; unchanged since it arrived"
    path.write_bytes(CONTENT[:-1])
    assert check(UNKNOWN, cache).state is FileState.WRONG


def test_a_download_page_does_not_pass_for_a_checkpoint(cache, tmp_path):
    page = tmp_path / "model.pth"
    page.write_bytes(b"<!DOCTYPE html><title>Quota exceeded</title>")
    with pytest.raises(DownloadError, match=r"not unknown: not a PyTorch file: it starts with b'<!DOCTYPE html>"):
        add_file(UNKNOWN, page, cache_dir=cache)
    assert list(cache.iterdir()) == []


def test_add_file_refuses_a_wrong_file_and_keeps_the_right_one(cache, tmp_path):
    given = tmp_path / "model.pth"
    given.write_bytes(CONTENT)
    path = add_file(KNOWN, given, cache_dir=cache)
    given.write_bytes(checkpoint_bytes(1, 5000))
    with pytest.raises(DownloadError, match="what arrived is not fake: sha256"):
        add_file(KNOWN, given, cache_dir=cache)
    assert path.read_bytes() == CONTENT
    assert os.listdir(cache) == ["fake.pth"]
    with pytest.raises(InputError, match=r"no file .*absent"):
        add_file(KNOWN, tmp_path / "absent", cache_dir=cache)


def test_a_shipped_file_is_used_in_place_and_still_checked(cache, tmp_path):
    shipped = tmp_path / "default.pth"
    entry = ZooEntry(
        name="default",
        kind="tracker",
        sources=(LocalFile(str(shipped)),),
        licence="Apache-2.0",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    with pytest.raises(DownloadError, match=r"default\.pth: there is no such file; .*reinstall pysot"):
        fetch(entry, cache_dir=cache)
    shipped.write_bytes(CONTENT)
    assert fetch(entry, cache_dir=cache) == shipped
    shipped.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match=r"expected .*; this file is not fetched"):
        fetch(entry, cache_dir=cache)
    with pytest.raises(InputError, match="is a local file and is not cached"):
        add_file(entry, shipped, cache_dir=cache)
    assert not cache.exists()
    inside = dataclasses.replace(entry, sources=(LocalFile("default.pth"),))
    assert cached_path(inside) == Path(cache_module.__file__).parent / "default.pth"


def test_copying_stops_at_the_limit(tmp_path):
    target = tmp_path / "copy"
    with pytest.raises(DownloadError, match="more than the 4 bytes expected"):
        copy_hashed(io.BytesIO(b"12345"), target, limit=4)
    assert target.stat().st_size == 0
    assert copy_hashed(io.BytesIO(b"1234"), target, limit=4) == hashlib.sha256(b"1234").hexdigest()


def test_staging_is_removed_on_error_and_swept_after_a_kill(cache):
    def stopped_half_way():
        with staging_folder(cache) as staging:
            (staging / "half").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert list(cache.iterdir()) == []
    killed, running = cache / ".fetch-killed", cache / ".fetch-running"
    killed.mkdir()
    running.mkdir()
    yesterday = time.time() - 25 * 3600
    os.utime(killed, (yesterday, yesterday))
    with staging_folder(cache):
        pass
    assert os.listdir(cache) == [".fetch-running"]


def test_a_target_held_open_by_the_other_process_is_fine_if_equal(cache, monkeypatch):
    def refuse(source, target):
        raise PermissionError(13, "in use")

    cache.mkdir()
    target = cached_path(KNOWN, cache)
    with staging_folder(cache) as staging:
        arrived = staging / "member"
        arrived.write_bytes(CONTENT)
        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            store(KNOWN, arrived, KNOWN.sha256, target)
        target.write_bytes(CONTENT)
        assert store(KNOWN, arrived, KNOWN.sha256, target) == target


def test_a_user_without_a_home_is_told_what_to_set(clean_env):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    clean_env.setattr(Path, "home", no_home)
    with pytest.raises(InputError, match=r"no home folder to keep checkpoints in: name a folder in .* PYSOT_CACHE"):
        cache_folder()
    clean_env.setenv("PYSOT_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere").absolute()


@pytest.fixture
def read_only(cache, monkeypatch):
    """A cache that refuses new files; file modes would not stop an administrator who runs the tests."""

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(cache))

    cache.mkdir()
    monkeypatch.setattr("pysot.zoo.cache.tempfile.TemporaryDirectory", refuse)
    return cache


def test_a_cache_that_cannot_be_written_is_named_once(read_only, tmp_path):
    expected = r"^cannot write into .*cache: Permission denied; name another folder in .* PYSOT_CACHE$"
    with pytest.raises(DownloadError, match=expected):
        fetch(KNOWN, cache_dir=read_only)
    given = tmp_path / "model.pth"
    given.write_bytes(CONTENT)
    with pytest.raises(DownloadError, match=expected):
        add_file(KNOWN, given, cache_dir=read_only)


@pytest.mark.parametrize("entry", [KNOWN, UNKNOWN], ids=["hash known", "hash unknown"])
def test_a_cache_that_cannot_be_written_can_be_used(read_only, entry):
    path = cached_path(entry, read_only)
    path.write_bytes(CONTENT)
    assert fetch(entry, cache_dir=read_only) == path
    assert [file.name for file in read_only.iterdir()] == [path.name]
