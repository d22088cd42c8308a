"""Killed at any moment, nothing that looks like a package is left, and the same command finishes the job."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pedicxr_release.demo.write import write_demo

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Profile

KILLS = 100
NAME = "vindr-pcxr-1.0.0"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start(candidate: Path, out: Path) -> subprocess.Popen[bytes]:
    script = "from pedicxr_release.cli import main; main()"
    arguments = ["package", str(candidate), str(out), "--zip", "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_killed_at_a_hundred_random_moments(tmp_path: Path, profile: Profile) -> None:
    candidate, out = tmp_path / "candidate", tmp_path / "out"
    write_demo(candidate, profile, 60, 1, downscale=8)
    source = tree(candidate)
    began = time.monotonic()
    assert start(candidate, tmp_path / "undisturbed").wait() == 0
    whole = time.monotonic() - began
    undisturbed = tree(tmp_path / "undisturbed" / NAME)
    rng = random.Random(7)
    finished = 0
    for _ in range(KILLS):
        process = start(candidate, out)
        try:
            process.wait(rng.uniform(0.3, 1.05) * whole)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if (out / NAME).exists():  # it was done, or killed after the rename: then it is whole
            assert tree(out / NAME) == undisturbed
            finished += 1
            for path in out.iterdir():
                if path.is_dir():
                    subprocess.run(["rm", "-rf", str(path)], check=True)
                else:
                    path.unlink()
        else:
            assert not [
                path
                for path in (out.iterdir() if out.exists() else [])
                if path.is_dir() and not path.name.startswith(".") and not path.name.endswith(".evidence")
            ]
    for path in out.glob("*.zip") if out.exists() else []:
        path.unlink()
    assert start(candidate, out).wait() == 0
    assert tree(out / NAME) == undisturbed
    assert tree(candidate) == source
    assert finished < KILLS
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
