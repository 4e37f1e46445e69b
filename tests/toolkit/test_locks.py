"""Claims on work: who gets it, who gets it next, and when nobody does any more."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from toolkit import locks
from toolkit.locks import Claim, locked, take, this_process

HOLDER = """
import os, signal, sys
from pathlib import Path
from toolkit.locks import take
claim = take(Path(sys.argv[1]), sys.argv[2])
print(getattr(claim, "deaths", claim), flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def holder(tmp_path, repo_root):
    """Return a function that has another process take a claim; it dies when its input ends."""
    processes = []

    def hold(launch):
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "claim"), launch]
        process = subprocess.Popen(command, cwd=repo_root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def die(process):
    process.communicate("\n")
    assert process.returncode == -9


def test_one_has_it_until_it_gives_it_back(tmp_path):
    path = tmp_path / "folder" / "claim"
    first = take(path, "launch")
    assert isinstance(first, Claim)
    assert take(path, "launch") is None
    assert take(path, "another launch") is None
    first.done()
    second = take(path, "launch")
    assert (second.died, second.deaths) == ("", 0)
    second.done()
    assert path.read_text() == ""


def test_what_failed_is_not_tried_again_in_the_same_launch(tmp_path):
    take(tmp_path / "claim", "launch").failed("no such image")
    assert take(tmp_path / "claim", "launch") == "no such image"
    assert take(tmp_path / "claim", "launch") == "no such image"
    again = take(tmp_path / "claim", "another launch")
    assert again.deaths == 0
    again.done()


def test_a_dead_holder_lets_go_and_is_named(tmp_path, holder):
    process, said = holder("launch")
    assert said == "0"
    assert take(tmp_path / "claim", "launch") is None
    die(process)
    claim = take(tmp_path / "claim", "launch")
    assert claim.died.endswith(f":{process.pid}")
    assert claim.deaths == 1
    claim.done()
    assert take(tmp_path / "claim", "launch").deaths == 0


def test_what_two_have_died_on_is_given_up_until_the_next_launch(tmp_path, holder):
    for deaths in ("0", "1"):
        process, said = holder("launch")
        assert said == deaths
        die(process)
    reason = take(tmp_path / "claim", "launch")
    assert reason.startswith("2 processes died on it, the last was ")
    assert take(tmp_path / "claim", "launch") == reason
    assert take(tmp_path / "claim", "another launch").deaths == 0


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00" * 5, '{"launch": 1}', '{"launch": "launch"}'])
def test_a_note_that_was_cut_short_does_no_harm(tmp_path, text):
    (tmp_path / "claim").write_text(text)
    claim = take(tmp_path / "claim", "launch")
    assert isinstance(claim, Claim)
    assert this_process() in (tmp_path / "claim").read_text()


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "_lock", refuse)
    assert isinstance(take(tmp_path / "claim", "launch"), Claim)
    with locked(tmp_path / "lock"):
        assert isinstance(take(tmp_path / "claim", "launch"), Claim)


def test_other_errors_are_not_hidden(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(locks, "_lock", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        take(tmp_path / "claim", "launch")
