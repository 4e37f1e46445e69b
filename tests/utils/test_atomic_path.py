"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from pysot.utils import atomic_path


def test_the_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "down" / "model.pth"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".pth"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["model.pth"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "model.pth"
    target.write_text("old")

    def write():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.pth"]


def test_a_folder_in_the_way_is_an_error_and_nothing_is_left(tmp_path):
    target = tmp_path / "model.pth"
    target.mkdir()
    with pytest.raises(OSError, match=r"model\.pth"), atomic_path(target) as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["model.pth"]
    assert os.listdir(target) == []


def test_the_writer_may_replace_the_temporary_file(tmp_path):
    """Writers that go by way of a file of their own leave another file under the same name."""
    target = tmp_path / "a.txt"
    with atomic_path(target) as temporary:
        (tmp_path / "other").write_text("new")
        os.replace(tmp_path / "other", temporary)
    assert target.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "a.txt") as temporary:
            assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
            temporary.write_text("x")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~umask
