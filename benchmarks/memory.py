"""Peak memory of a command's largest process, its workers and their servers included, in bytes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

SAMPLED_EVERY = 0.02
"""Seconds. The kernel keeps each process's own peak, so that only a process which lives shorter can be missed."""


def peak_memory(*arguments: str | Path) -> int:
    """Run a command and return the largest resident set that any of its processes ever had.

    Raises
    ------
    CalledProcessError
        When it fails.
    """
    largest = 0
    with subprocess.Popen([*map(str, arguments)], stdout=subprocess.DEVNULL, start_new_session=True) as process:
        while process.poll() is None:
            largest = max(largest, *map(_peak, _session(process.pid)), 0)
            time.sleep(SAMPLED_EVERY)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return largest


def _session(leader: int) -> list[Path]:
    """Folders below ``/proc`` of the processes of a session (proc(5): ``stat``, field 6)."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            members.append(folder)
    return members


def _peak(folder: Path) -> int:
    try:
        status = (folder / "status").read_text()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
