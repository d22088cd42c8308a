"""The bytes of remote image files, in memory: whole, or of a file that is only walked no more than the walk goes over.

A walk goes over headers and steps over pixels, so it can be done on a file of which the pixels are missing. Where it ends up
on bytes that have not been read, those are read and it is done again: the last walk saw nothing but bytes of the file.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from pedicxr_release.examine.part10 import walk
from pedicxr_release.examine.retained import SCANNED_BYTES
from pedicxr_release.finding import Collector
from pedicxr_release.source import RemoteFiles, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pedicxr_release.examine.part10 import Walk
    from pedicxr_release.examine.record import ImageFile

FIRST_READ = 64 << 10
"""Headers of a radiograph are a few kilobytes; a request costs as much time as some ten thousand bytes."""
DICM_END = 132
LARGEST = 512 << 20
"""Bytes of a file that is read whole: it is held in memory."""

CHANGED = UnreadableError("it has changed since the dataset was listed")

Content = bytes | mmap.mmap | OSError


class RemoteReader:
    """Reads the image files of a dataset behind a URL.

    Parameters
    ----------
    url
        Where the dataset lies.
    whole
        Whether files are read whole; otherwise what only pixels stand in may be left out, and is zero.
    """

    def __init__(self, url: str, *, whole: bool) -> None:
        self._files = RemoteFiles(url)
        self._whole = whole

    def read(self, files: Sequence[ImageFile]) -> list[Content]:
        """Read files, all at once: each one's content, or why it cannot be read."""
        if self._whole:
            return self._read_whole(files)
        contents: dict[ImageFile, Content] = dict.fromkeys(files, b"")
        parts = {file: _Parts(file.size) for file in files if file.size}
        missing = dict.fromkeys(parts, 0)
        step = FIRST_READ
        while missing:
            ranges = [(file.source, start, min(start + step, file.size)) for file, start in missing.items()]
            answers = zip(missing, ranges, self._files.read(ranges), strict=True)
            missing = {}
            for file, (_, start, end), content in answers:
                if isinstance(content, OSError) or len(content) == file.size > end - start:
                    contents[file] = content
                elif len(content) != end - start:
                    contents[file] = CHANGED
                else:
                    parts[file].put(start, content)
                    contents[file] = parts[file].memory
                    if (first := parts[file].first_missing()) is not None:
                        missing[file] = first
            step *= 4
        return list(contents.values())

    def _read_whole(self, files: Sequence[ImageFile]) -> list[Content]:
        contents: dict[ImageFile, Content] = dict.fromkeys(files, b"")
        fits = [file for file in files if 0 < file.size <= LARGEST]
        answers = self._files.read([(file.source, 0, file.size + 1) for file in fits])  # one more, to see whether it has grown
        for file, content in zip(fits, answers, strict=True):
            contents[file] = content if isinstance(content, OSError) or len(content) == file.size else CHANGED
        for file in files:
            if file.size > LARGEST:
                contents[file] = UnreadableError(f"it is larger than {LARGEST >> 20} MiB; copy the dataset to this machine")
        return list(contents.values())


class _Parts:
    """A file of which parts have been read, the rest being zero."""

    def __init__(self, size: int) -> None:
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)  # what is not read takes no memory
        self.memory = mmap.mmap(-1, size, flags=flags)
        self._read: list[tuple[int, int]] = []

    def put(self, start: int, content: bytes) -> None:
        """Keep a part."""
        self.memory[start : start + len(content)] = content
        self._read.append((start, start + len(content)))

    def first_missing(self) -> int | None:
        """The first byte that has not been read and is looked at; None when the rest may stay away."""
        with memoryview(self.memory) as buffer:
            walked = walk(buffer, Collector(""))
            missing = _gap([*self._read, *_stepped_over(walked, len(buffer))], 0, len(buffer))
            if missing is None and walked and not walked.complete:  # then what it did not come to is searched
                start = len(buffer) - walked.account.left_over
                missing = _gap(self._read, start, min(start + SCANNED_BYTES, len(buffer)))
        return missing


def _gap(known: Iterable[tuple[int, int]], start: int, end: int) -> int | None:
    """The first position from start to end that is in none of the ranges."""
    for first, last in sorted(known):
        if first > start:
            break
        start = max(start, last)
    return start if start < end else None


def _stepped_over(walked: Walk | None, size: int) -> list[tuple[int, int]]:
    """Ranges of pixels that nobody looks into."""
    if walked is None:
        return [(DICM_END, size)]  # no DICOM, as its start says
    pixels = walked.pixel_data
    if not pixels or pixels.length <= SCANNED_BYTES or walked.buffer is not walked.file:
        return []
    ranges = [(pixels.offset, pixels.length)] if walked.fragments is None else walked.fragments
    return [(offset, offset + length) for offset, length in ranges]
