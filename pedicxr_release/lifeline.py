"""A worker process ends with the process that it works for, however that one ends."""

from __future__ import annotations

import multiprocessing
import os
import threading


def hold_lifeline() -> None:
    """End this worker as soon as its parent is gone.

    A worker of a `ProcessPoolExecutor` holds both ends of the queue that it reads from, so a parent that was killed would
    leave it waiting for ever, with whatever pipe it has inherited held open.
    """
    threading.Thread(target=_outlive, name="lifeline", daemon=True).start()


def _outlive() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
