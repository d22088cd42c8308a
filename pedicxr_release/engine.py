"""Maps examine over files: in processes of this machine, or on a cluster.

A file cannot stop the run. One that a worker died on is examined again, alone in a process of this machine, and if it dies
there too that is a finding.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from pedicxr_release.examine.batch import confinement, examine_batch, lost, seconds_allowed
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.record import ImageRecord
from pedicxr_release.workers import ClusterError, hold_lifeline, kill_workers, worker_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pedicxr_release.examine.record import ImageFile, Packed
    from pedicxr_release.profile import Profile

    Progress = Callable[[int, int], None]
    """Called with the number of files and of bytes that were just done."""
    Batch = list[ImageFile]

Result = TypeVar("Result")
BATCH_BYTES, BATCH_FILES = 24 << 20, 64
QUEUED = 3
"""Batches that are under way for each worker."""
LOOKED_AFTER = 5.0
"""Seconds without a result after which a crew is asked whether it is still there."""
OWN_CONTROL_GROUP, CONTROL_GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")

_examiner: Examiner | None = None
_held = ExitStack()


class Crew(Protocol):
    """Workers that examine batches."""

    lost: type[Exception]
    """What a batch comes to when its worker died on it."""

    @property
    def size(self) -> int:
        """How many workers there are now."""
        ...

    def submit(self, batch: Batch) -> Future[list[Packed]]:
        """Have a batch examined, by somebody else if a worker has died."""
        ...

    def look_after(self) -> None:
        """Raise if there is nobody left to wait for."""
        ...


def available_cores() -> int:
    """Cores that this process may use: those of its affinity, or fewer where a control group has a quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([cores, *(max(1, round(quota)) for quota in _quotas())])


def _quotas() -> Iterator[float]:
    """Quotas, in cores, of the control group that this process is in and of those above it (cgroups(7), version 2)."""
    try:
        lines = OWN_CONTROL_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = PurePosixPath(next((line.removeprefix("0::") for line in lines if line.startswith("0::/")), "/"))
    for group in (own, *own.parents):
        try:
            quota, period = Path(CONTROL_GROUPS, group.relative_to("/"), "cpu.max").read_text(encoding="ascii").split()
            yield int(quota) / int(period)
        except (OSError, ValueError):  # there is none, or it is "max"
            continue


def examine_all(
    files: Sequence[ImageFile],
    profile: Profile,
    options: ExamineOptions,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
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
    scheduler
        Address of the scheduler of a Dask cluster whose workers examine instead.
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
    ClusterError
        When the cluster cannot be used, or is gone.
    """
    if not files:
        return []
    records: list[ImageRecord] = []
    for batch in _run(files, profile, options, workers, scheduler):
        records += batch
        if arrived:
            arrived(batch)
        if progress:
            progress(len(batch), sum(record.size for record in batch))
    order = {file.path: position for position, file in enumerate(files)}
    return sorted(records, key=lambda record: order[record.path])


def _run(
    files: Sequence[ImageFile], profile: Profile, options: ExamineOptions, workers: int | None, scheduler: str | None
) -> Iterator[list[ImageRecord]]:
    pending = _batches(files, by_size=options.pixels or options.hash)
    running: dict[Future[list[Packed]], Batch] = {}
    suspects: Batch = []
    with _crew(profile, options, min(workers or available_cores(), len(files)), scheduler, files[0].source) as crew:
        while True:
            while len(running) < QUEUED * crew.size and (batch := next(pending, None)):
                running[crew.submit(batch)] = batch
            if not running:
                break
            done, _ = wait(running, LOOKED_AFTER, return_when=FIRST_COMPLETED)
            if not done:
                crew.look_after()
            for future in done:
                batch = running.pop(future)
                try:
                    yield _unpacked(batch, future.result())
                except crew.lost:
                    suspects += batch
    yield from _one_by_one(suspects, profile, options)


def _unpacked(batch: Batch, packed: list[Packed]) -> list[ImageRecord]:
    return [ImageRecord.unpacked(file, one) for file, one in zip(batch, packed, strict=True)]


def _crew(
    profile: Profile, options: ExamineOptions, workers: int, scheduler: str | None, sample: str
) -> AbstractContextManager[Crew]:
    """Who examines: a cluster if there is one."""
    if scheduler is None:
        return LocalCrew(profile, options, workers)
    try:
        from pedicxr_release.cluster import cluster_crew
    except ImportError:
        raise ClusterError("--scheduler needs Dask: pip install 'pedicxr-release[dask]'") from None
    return cluster_crew(scheduler, profile, options, sample)


def _one_by_one(files: Iterable[ImageFile], profile: Profile, options: ExamineOptions) -> Iterator[list[ImageRecord]]:
    """Examine files that were under way when a worker died, each alone, so that the one at fault is known."""
    with LocalCrew(profile, options, 1) as crew:
        for file in files:
            crew.call(os.getpid).result()  # the worker is up: what dies now dies of the file
            started = time.monotonic()
            try:
                yield _unpacked([file], crew.submit([file]).result())
            except crew.lost:
                seconds = seconds_allowed(file.size)
                timed_out = time.monotonic() - started >= 0.9 * seconds
                yield [lost(file, "RUN102", seconds=seconds) if timed_out else lost(file, "RUN101")]


class LocalCrew:
    """Worker processes of this machine. When one dies all are replaced; when a run ends early they are killed."""

    lost: type[Exception] = BrokenProcessPool

    def __init__(self, profile: Profile, options: ExamineOptions, size: int) -> None:
        self.size = size
        self._makes = profile, options
        self._pool = self._executor()

    def _executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.size, worker_context(), initializer=_start_worker, initargs=self._makes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._pool.shutdown()
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        kill_workers()

    def submit(self, batch: Batch) -> Future[list[Packed]]:
        """Have a batch examined."""
        return self.call(_examine_batch, batch)

    def call(self, function: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Have a function called in a worker."""
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._executor()
            return self._pool.submit(function, *arguments)

    def look_after(self) -> None:
        """Nothing to do: a pool of processes notices by itself."""


def _batches(files: Sequence[ImageFile], *, by_size: bool) -> Iterator[Batch]:
    """Cut the files into batches: many small ones or a few large ones. Where only headers are read, any is small."""
    batch: Batch = []
    size = 0
    for file in files:
        if batch and (size + file.size * by_size > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size * by_size
    if batch:
        yield batch


# -- in the worker --------------------------------------------------------------------------------------------------


def _start_worker(profile: Profile, options: ExamineOptions) -> None:
    global _examiner
    hold_lifeline()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # an alarm kills, wherever the time is spent
    _held.enter_context(confinement())  # for as long as the process lives
    _examiner = Examiner(profile, options)


def _examine_batch(files: Batch) -> list[Packed]:
    assert _examiner is not None
    return examine_batch(_examiner, files)
