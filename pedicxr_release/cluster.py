"""Examine on a Dask cluster: the same function on the same batches, in workers that see the dataset under the same name.

The profile is sent to each worker once, as a plugin, which also reaches workers that join later. A worker examines one batch
at a time, whatever its number of threads, because limits of time and memory are a process's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, KilledWorker, Reschedule, WorkerPlugin, get_worker

from pedicxr_release.examine.batch import confinement, examine_batch
from pedicxr_release.examine.image import Examiner
from pedicxr_release.resources import reader_versions
from pedicxr_release.workers import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from pedicxr_release.examine.image import ExamineOptions
    from pedicxr_release.examine.record import ImageFile, Packed
    from pedicxr_release.profile import Profile

CONNECT_SECONDS = 10
COUNTED_EVERY = 2.0
"""Seconds for which the number of workers is taken as known."""
ALONE_SECONDS = 60.0
"""How long a cluster may be without a worker: a killed one takes some seconds to be back."""

_one_at_a_time = threading.Lock()


@contextmanager
def cluster_crew(address: str, profile: Profile, options: ExamineOptions, sample: str) -> Iterator[ClusterCrew]:
    """Have a cluster's workers ready for one run.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://node1:8786``.
    profile, options
        As for `Examiner`.
    sample
        A file of the dataset, which every worker must see if `options` names no URL.

    Raises
    ------
    ClusterError
        When nobody answers, no worker is there, or one has another version of this program or does not see the dataset.
    """
    with _silence():
        yield from _connected(address, profile, options, sample)


def _connected(address: str, profile: Profile, options: ExamineOptions, sample: str) -> Iterator[ClusterCrew]:
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="pedicxr-release")
    except (OSError, ValueError, TypeError):
        raise ClusterError(f"{address}: no Dask scheduler answers there") from None
    plugin = ExaminerPlugin(profile, options, None if options.url else sample)
    try:
        client.register_plugin(plugin, name=plugin.name)
        yield ClusterCrew(client, plugin.name)
    except ClusterError as error:
        raise ClusterError(f"{address}: {error}") from None
    except ModuleNotFoundError as error:
        raise ClusterError(f"{address}: a worker has no {error.name}: install pedicxr-release there too") from None
    except (asyncio.CancelledError, concurrent.futures.CancelledError):
        raise ClusterError(f"{address}: the scheduler is gone") from None
    except Exception as error:  # noqa: BLE001 (any of Dask's)
        if client.status != "running":
            raise ClusterError(f"{address}: the scheduler is gone") from None
        raise ClusterError(f"{address}: the cluster failed ({type(error).__name__}); look into its logs") from None
    finally:
        with suppress(Exception, asyncio.CancelledError):  # a scheduler that is gone keeps nothing
            client.unregister_worker_plugin(plugin.name)
        client.close(timeout=CONNECT_SECONDS)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Dask's client from writing tracebacks where one line of ours will stand."""
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if name.startswith("distributed")]
    speaking = [logger for logger in loggers if not logger.disabled]
    for logger in speaking:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in speaking:
            logger.disabled = False


class ClusterCrew:
    """The workers of a Dask cluster. Dask gives a batch to another worker when one dies, and gives it up after the fourth."""

    lost: type[Exception] = KilledWorker

    def __init__(self, client: Client, plugin: str) -> None:
        self._client, self._plugin = client, plugin
        self._executor = client.get_executor(pure=False, retries=0)
        self._counted, self._size, self._last_seen = 0.0, 0, time.monotonic()
        if not self.size:
            raise ClusterError("the cluster has no worker")

    @property
    def size(self) -> int:
        """How many workers there are now."""
        if (now := time.monotonic()) - self._counted > COUNTED_EVERY:
            self._counted, self._size = now, len(self._client.scheduler_info(n_workers=-1)["workers"])
            if self._size:
                self._last_seen = now
        return self._size

    def submit(self, batch: list[ImageFile]) -> Future[list[Packed]]:
        """Have a batch examined."""
        return self._executor.submit(_examine_batch, self._plugin, batch)  # type: ignore[no-any-return]

    def look_after(self) -> None:
        """Raise if the scheduler is gone, or has been without a worker for too long."""
        if not self.size and time.monotonic() - self._last_seen > ALONE_SECONDS:
            raise ClusterError("no worker is left")


# -- in the worker --------------------------------------------------------------------------------------------------


class ExaminerPlugin(WorkerPlugin):
    """Keeps an `Examiner` in each worker of a cluster, made when it is first needed.

    Parameters
    ----------
    profile, options, sample
        As for `cluster_crew`.
    """

    def __init__(self, profile: Profile, options: ExamineOptions, sample: str | None) -> None:
        self.name = f"pedicxr-release-{uuid.uuid4()}"
        self._makes = profile, options
        self._sample = sample
        self._versions = reader_versions()
        self._examiner: Examiner | None = None

    def setup(self, worker: Any) -> None:  # noqa: ANN401 (distributed's Worker)
        """Refuse a worker that would say something else than this machine."""
        for name, version in reader_versions().items():
            if version != self._versions[name]:
                raise ClusterError(f"worker {worker.name} has {name} {version}, and this machine {self._versions[name]}")
        if self._sample and not Path(self._sample).exists():
            raise ClusterError(f"worker {worker.name} does not see the dataset under the path that it has here")

    def examine(self, files: list[ImageFile]) -> list[Packed]:
        """Examine a batch."""
        with _one_at_a_time, confinement():
            self._examiner = self._examiner or Examiner(*self._makes)
            return examine_batch(self._examiner, files)


def _examine_batch(plugin: str, files: list[ImageFile]) -> list[Packed]:
    try:
        examine: Any = get_worker().plugins[plugin]
    except ValueError:  # the worker was closed between being given the batch and beginning it
        raise Reschedule from None
    return examine.examine(files)  # type: ignore[no-any-return]
