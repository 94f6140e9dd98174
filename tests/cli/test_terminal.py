"""What a verb's end looks like from outside: one sentence and the right exit status."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bluegold.cli.main import VERBS
from bluegold.cli.terminal import actor_name, guarded
from bluegold.core.errors import RegistryError, UsageError


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bluegold", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", sorted(name for names in VERBS.values() for name in names))
def test_a_typo_is_a_usage_error(verb: str) -> None:
    done = _run(verb, "--no-such-option")
    assert done.returncode == 2
    assert "no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert _run("delver").returncode == 2


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RegistryError("it is so", way_out="do this"), 1, "it is so. Way out: do this."),
        (UsageError("no such thing"), 2, "no such thing."),
        (OSError(errno.ENOSPC, "No space left on device", "/disk/x"), 1, "the disk is full ('/disk/x')"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 1, "no right to write or read ('/root/x')"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(130), 130, "interrupted"),
    ],
)
def test_an_error_is_one_sentence(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    assert guarded(fails) == status
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x1b[31m"])
def test_an_actor_is_a_printable_name(name: str) -> None:
    with pytest.raises(UsageError, match="no usable identity"):
        actor_name(name)


def test_ctrl_c_leaves_with_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    """A verb that is at work when Ctrl-C comes: the starter system being developed."""
    assert _run("init", "starter", "--out", str(tmp_path / "starter")).returncode == 0
    command = [sys.executable, "-m", "bluegold", "develop", "-s", str(tmp_path / "starter"), "-w", str(tmp_path / "w")]
    working = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "w" / "bluegold.db").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    working.send_signal(signal.SIGINT)
    _, said = working.communicate(timeout=60)
    assert working.returncode == 130
    assert said.rstrip().endswith("the same command goes on from there.")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
