"""Worker processes: started early, ended with the process that they work for."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
PRELOADED = ["pedicxr_release.examine.image", "pedicxr_release.cli"]
"""What every worker imports, the command that started it included: once, by the server that they are forked from."""


class ClusterError(RuntimeError):
    """A cluster cannot be used, or is gone; the message says why."""


class Worker(ForkServerProcess):
    """A worker process, which is not to be mistaken for another child of the process that called us."""


class WorkerContext(ForkServerContext):
    """Starts workers."""

    Process = Worker


def worker_context() -> WorkerContext:
    """Return the way in which workers are started, with their server importing what they need from now on.

    Called before this process does its own imports, the two go on side by side.
    """
    context = WorkerContext()
    context.set_forkserver_preload(PRELOADED)
    resource_tracker.ensure_running()  # it unblocks signals
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for this process: workers inherit the mask
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    return context


def kill_workers() -> None:
    """End every worker of this process at once, whatever it is at."""
    for process in multiprocessing.active_children():
        if isinstance(process, Worker):
            process.kill()


def hold_lifeline() -> None:
    """End this worker as soon as its parent is gone, and not by Ctrl-C, which a server that others have started lets through.

    A worker of a `ProcessPoolExecutor` holds both ends of the queue that it reads from, so a parent that was killed would
    leave it waiting for ever, with whatever pipe it has inherited held open.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive, name="lifeline", daemon=True).start()


def _outlive() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def in_background(function: Callable[[], Result]) -> Future[Result]:
    """Call a function in a thread that nobody has to wait for if the run ends."""
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 (it is raised where the result is asked for)
            future.set_exception(error)

    threading.Thread(target=call, name="background", daemon=True).start()
    return future
