"""Ctrl-C in a terminal: one line, exit code 3, no worker left, nothing half-written; what was read is not read again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.cache import FILE
from pedicxr_release.demo.write import write_demo

if TYPE_CHECKING:
    from collections.abc import Callable

    from pedicxr_release.profile import Profile

COMMAND = str(Path(sys.executable).with_name("pedicxr-release"))
IMAGES = 400


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Path:
    """Large enough for Great Expectations, and old enough for the cache."""
    root = tmp_path_factory.mktemp("interrupted") / "candidate"
    write_demo(root, profile, IMAGES, 1, downscale=4)
    time.sleep(2.1)
    return root


def session(leader: int) -> list[int]:
    """The processes of a session that still run."""
    running = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _parent, _group, its_session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(its_session) == leader and state != "Z":
            running.append(int(folder.name))
    return running


def interrupt(arguments: list[str | Path], moment: Callable[[int], bool]) -> str:
    """Press Ctrl-C, which reaches every process of the terminal, when a moment has come; return what was said."""
    with subprocess.Popen(
        [COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while process.poll() is None and not moment(process.pid):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    deadline = time.monotonic() + 60
    while session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not session(process.pid)
    return said


def kept(cache: Path) -> int:
    try:
        with sqlite3.connect(f"file:{cache / FILE}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM entries").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_while_it_starts(candidate: Path) -> None:
    """Before it has imported what it needs: an interrupted run must not look like a gate that findings have shut."""
    said = interrupt(["validate", candidate, "--no-cache"], lambda leader: len(session(leader)) > 1)
    assert said == "pedicxr-release: interrupted: the run was not completed, and no verdict was drawn\n"


def test_while_files_are_examined_and_what_was_read_is_kept(candidate: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    said = interrupt(["validate", candidate, "--cache", cache], lambda _: kept(cache) > 0)
    assert "interrupted" in said
    assert "Traceback" not in said
    before = kept(cache)
    assert 0 < before < IMAGES
    again = [COMMAND, "validate", str(candidate), "--cache", str(cache), "--no-expectations", "-q"]
    assert subprocess.run(again, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert kept(cache) == IMAGES
    with sqlite3.connect(cache / FILE) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_while_a_package_is_written(candidate: Path, tmp_path: Path) -> None:
    train = tmp_path / "out" / ".vindr-pcxr-1.0.0.partial" / "vindr-pcxr-1.0.0" / "train"
    said = interrupt(
        ["package", candidate, tmp_path / "out"], lambda _: train.is_dir() and any(train.iterdir())
    )  # fmt: skip
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_while_the_evidence_is_drawn(candidate: Path, tmp_path: Path) -> None:
    """A library in C++ that runs in a thread when the interpreter ends would abort the process."""
    figures = tmp_path / "out" / ".vindr-pcxr-1.0.0.partial" / "vindr-pcxr-1.0.0.evidence" / "figures"
    said = interrupt(["package", candidate, tmp_path / "out", "--mode", "hardlink"], lambda _: figures.is_dir())
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
