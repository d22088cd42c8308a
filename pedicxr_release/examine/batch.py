"""A batch of image files → their records. No file takes more than its time and memory, and no library says a word of it.

The limits are the kernel's (an alarm signal and ``RLIMIT_DATA``), so they also hold inside a codec that never returns to
Python: there the process ends, and whoever gave it the batch learns of it.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.examine.image import StoreError
from pedicxr_release.examine.record import ImageRecord
from pedicxr_release.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pedicxr_release.examine.image import Examiner
    from pedicxr_release.examine.record import ImageFile, Packed
    from pedicxr_release.finding import Fact

SECONDS, BYTES_A_SECOND = 5.0, 20 << 20
"""A file may take 5 s, and a second more for every 20 MiB."""
MEMORY = 1 << 30
"""What the examination of one file may add to a process."""


def seconds_allowed(size: int) -> float:
    """How long one file of a size in bytes may take."""
    return SECONDS + size / BYTES_A_SECOND


def examine_batch(examiner: Examiner, files: Sequence[ImageFile]) -> list[Packed]:
    """Examine files one after the other, within `confinement`. Gives one packed record a file, in their order.

    Raises
    ------
    StoreError
        When the examined bytes cannot be written; anything else that goes wrong is a finding of its file.
    """
    records = []
    for file, content in examiner.contents(files):
        signal.setitimer(signal.ITIMER_REAL, seconds_allowed(file.size))
        try:
            records.append(examiner(file, content))
        except MemoryError:
            records.append(lost(file, "RUN103", megabytes=MEMORY >> 20))
        except StoreError:
            raise
        except BaseException as error:  # noqa: BLE001 (the run goes on; the type says enough, the text may quote the file)
            records.append(lost(file, "RUN105", exception=type(error).__name__))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return [record.packed() for record in records]


def lost(file: ImageFile, code: str, **facts: Fact) -> ImageRecord:
    """What there is to say of a file that could not be examined to the end."""
    finding = Finding(code, file.path, facts=facts, image_id=file.image_id)
    return ImageRecord(file.path, file.split, file.image_id, file.size, findings=(finding,))


@contextmanager
def confinement() -> Iterator[None]:
    """Keep this process's memory within bounds, and its libraries silent: they quote values in warnings, logs and on fd 2."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [limit for limit in (_data_bytes() + MEMORY, soft, hard) if limit != resource.RLIM_INFINITY]
    disabled, errors = logging.root.manager.disable, os.dup(2)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable()
        os.dup2(nowhere.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
            os.dup2(errors, 2)
            os.close(errors)
            logging.disable(disabled)


def _data_bytes() -> int:
    """What the kernel counts against ``RLIMIT_DATA`` now, or more where it does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    except OSError:
        return 256 << 20
