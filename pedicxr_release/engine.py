"""Maps examine over files in worker processes.

A file cannot stop the run: it has a time and a memory limit, and a worker that dies on it becomes a finding. The limits
are the kernel's (an alarm signal and ``RLIMIT_DATA``), so they also hold inside a codec that never returns to Python.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import time
import warnings
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.examine.image import ExamineOptions, Examiner, StoreError
from pedicxr_release.examine.record import ImageFile, ImageRecord
from pedicxr_release.finding import Fact, Finding
from pedicxr_release.workers import hold_lifeline, worker_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pedicxr_release.profile import Profile

    Progress = Callable[[int, int], None]
    """Called with the number of files and of bytes that were just done."""

BATCH_BYTES, BATCH_FILES = 24 << 20, 64
SECONDS, BYTES_A_SECOND = 5.0, 20 << 20
"""A file may take 5 s, and a second more for every 20 MiB."""
MEMORY = 1 << 30

_examiner: Examiner | None = None


def available_cores() -> int:
    """Cores that this process may use: its affinity, and its control group's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def examine_all(
    files: Sequence[ImageFile],
    profile: Profile,
    options: ExamineOptions,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    arrived: Callable[[list[ImageRecord]], None] | None = None,
) -> list[ImageRecord]:
    """Examine files in worker processes.

    Parameters
    ----------
    files
        What to examine.
    profile, options
        As for `Examiner`.
    workers
        Number of processes; by default `available_cores`.
    progress
        Told how much was done.
    arrived
        Given each batch of records as soon as it is there.

    Returns
    -------
    list of ImageRecord
        One a file, in the order of `files`, whatever happened to its worker.

    Raises
    ------
    StoreError
        When the examined bytes cannot be written where `options.store` says.
    """
    if not files:
        return []
    count = min(workers or available_cores(), len(files))
    records: dict[str, ImageRecord] = {}
    for batch in _run(files, profile, options, count):
        for record in batch:
            records[record.path] = record
        if arrived:
            arrived(batch)
        if progress:
            progress(len(batch), sum(record.size for record in batch))
    return [records[file.path] for file in files]


def _run(files: Sequence[ImageFile], profile: Profile, options: ExamineOptions, workers: int) -> Iterator[list[ImageRecord]]:
    pending = _batches(files)
    suspects: list[ImageFile] = []
    exhausted = False
    while not exhausted:
        with _pool(profile, options, workers) as pool:
            running: dict[Future[list[ImageRecord]], list[ImageFile]] = {}
            try:
                while True:
                    while len(running) < 3 * workers and (batch := next(pending, None)):
                        running[pool.submit(_examine_batch, batch)] = batch
                    if not running:
                        exhausted = True
                        break
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        del running[future]
                        yield result
            except BrokenProcessPool:
                for future, batch in running.items():
                    if future.done() and not future.exception():
                        yield future.result()
                    else:
                        suspects += batch
    yield from _one_by_one(suspects, profile, options)


def _one_by_one(files: Iterable[ImageFile], profile: Profile, options: ExamineOptions) -> Iterator[list[ImageRecord]]:
    """Examine files that were under way when a worker died, each alone, so that the one at fault is known."""
    remaining = list(files)
    while remaining:
        with _pool(profile, options, 1) as pool:
            pool.submit(os.getpid).result()  # the worker is up: what dies now dies of the file
            while remaining:
                file = remaining.pop(0)
                started = time.monotonic()
                try:
                    yield pool.submit(_examine_batch, [file]).result()
                except BrokenProcessPool:
                    timed_out = time.monotonic() - started >= 0.9 * seconds_allowed(file.size)
                    yield [_lost(file, "RUN102", seconds=seconds_allowed(file.size)) if timed_out else _lost(file, "RUN101")]
                    break


@contextmanager
def _pool(profile: Profile, options: ExamineOptions, workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(workers, worker_context(), initializer=_start_worker, initargs=(profile, options))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.kill()
        raise


def _batches(files: Sequence[ImageFile]) -> Iterator[list[ImageFile]]:
    """Cut the files into batches of like size: many small ones or a few large ones."""
    batch: list[ImageFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def seconds_allowed(size: int) -> float:
    """How long one file of a size in bytes may take."""
    return SECONDS + size / BYTES_A_SECOND


# -- in the worker --------------------------------------------------------------------------------------------------


def _start_worker(profile: Profile, options: ExamineOptions) -> None:
    global _examiner
    hold_lifeline()
    warnings.simplefilter("ignore")  # libraries quote values in warnings and logs
    logging.disable()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # codecs write there, past Python
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # an alarm kills, wherever the time is spent
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY + (256 << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    _examiner = Examiner(profile, options)


def _examine_batch(files: list[ImageFile]) -> list[ImageRecord]:
    assert _examiner is not None
    records = []
    for file in files:
        signal.setitimer(signal.ITIMER_REAL, seconds_allowed(file.size))
        try:
            records.append(_examiner(file))
        except MemoryError:
            records.append(_lost(file, "RUN103", megabytes=MEMORY >> 20))
        except StoreError:
            raise
        except BaseException as error:  # noqa: BLE001 (the run goes on; the type says enough, the text may quote the file)
            records.append(_lost(file, "RUN105", exception=type(error).__name__))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return records


def _lost(file: ImageFile, code: str, **facts: Fact) -> ImageRecord:
    finding = Finding(code, file.path, facts=facts, image_id=file.image_id)
    return ImageRecord(file.path, file.split, file.image_id, file.size, findings=(finding,))
