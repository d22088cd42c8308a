"""One image file → one `ImageRecord`. This is the list of what is done with a file, and the only function the engine maps."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pedicxr_release.examine.header import HeaderReader
from pedicxr_release.examine.part10 import walk
from pedicxr_release.examine.pixels import PixelReader
from pedicxr_release.examine.record import ImageFile, ImageRecord
from pedicxr_release.examine.remote import RemoteReader
from pedicxr_release.examine.retained import check_byte_areas, check_elements, check_link_back
from pedicxr_release.finding import Collector, Finding
from pedicxr_release.identity import IdentityText
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pedicxr_release.examine.remote import Content
    from pedicxr_release.examine.value import Value
    from pedicxr_release.profile import Profile


Mode = Literal["copy", "reflink", "hardlink"]
FICLONE = 0x40049409
"""ioctl that has a file share another's blocks (ioctl_ficlone(2))."""


@dataclass(frozen=True, slots=True)
class ExamineOptions:
    """What is read of each file.

    Attributes
    ----------
    pixels, hash
        Whether pixels are looked at and the file is hashed. Without either only the header is read from disk.
    store, mode
        Folder into which the examined bytes are written, under the file's path, while they are in memory; and how: by
        copying them, by cloning the file's blocks, or by a second name for the file.
    url
        Where the dataset lies, if not in a folder of this machine.
    """

    pixels: bool = True
    hash: bool = True
    store: str | None = None
    mode: Mode = "copy"
    url: str | None = None


class Examiner:
    """Examines image files against one profile; made once a process.

    Parameters
    ----------
    profile
        What a release looks like.
    options
        What is read of each file.
    """

    def __init__(self, profile: Profile, options: ExamineOptions) -> None:
        self._profile = profile
        self._options = options
        self._text = IdentityText(profile.identity)
        self._header = HeaderReader(profile.dicom, profile.release.age)
        self._pixels = PixelReader(profile.dicom.pixels, self._text)

        self._remote = RemoteReader(options.url, whole=options.pixels or options.hash) if options.url else None

    def contents(self, files: Sequence[ImageFile]) -> Iterator[tuple[ImageFile, Content | None]]:
        """Give each file with its content, as far as that is better read for many files at once: see `RemoteReader`."""
        contents = self._remote.read(files) if self._remote else [None] * len(files)
        yield from zip(files, contents, strict=True)

    def __call__(self, file: ImageFile, content: Content | None = None) -> ImageRecord:
        """Examine one file: one open, one mapping, one hash, one walk; or its content, where that has been read already."""
        found = Collector(file.path, file.image_id)
        status = None
        if content is None:
            try:
                content, status = self._map(file.source)
            except OSError as error:
                content = error
        if isinstance(content, OSError):
            return _bare(file, Finding("LAY113", file.path, facts={"reason": reason(content)}, image_id=file.image_id))
        if not len(content):
            return _bare(file, Finding("LAY105", file.path, image_id=file.image_id))
        with memoryview(content) as buffer:
            return self._examine(file, buffer, status, found)

    def _map(self, source: str) -> tuple[mmap.mmap | bytes, os.stat_result]:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_size == 0:
                return b"", status
            flags = mmap.MAP_SHARED
            if self._options.hash or self._options.pixels:
                flags |= getattr(mmap, "MAP_POPULATE", 0)
            return mmap.mmap(descriptor, 0, flags=flags, prot=mmap.PROT_READ), status
        finally:
            os.close(descriptor)

    def _examine(self, file: ImageFile, buffer: memoryview, status: os.stat_result | None, found: Collector) -> ImageRecord:
        mtime_ns, ctime_ns, inode = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino) if status else (0, 0, 0)
        sha256 = hashlib.sha256(buffer).digest() if self._options.hash else None
        if self._options.store:
            store(buffer, sha256, Path(file.source), Path(self._options.store, file.path), self._options.mode)
        walked = walk(buffer, found)
        if walked is None:
            return ImageRecord(
                file.path, file.split, file.image_id, len(buffer), sha256,
                mtime_ns=mtime_ns, ctime_ns=ctime_ns, inode=inode, findings=found.findings,
            )  # fmt: skip
        check_byte_areas(buffer, walked, self._text, found)
        check_elements(walked, self._profile.dicom, self._text, found)
        name = file.path.rpartition("/")[2]
        check_link_back(walked, file.image_id, name.rpartition(".")[0] or name, found)
        published_form = self._header.check_meta(walked, file.image_id, found) if walked.account.preamble else False
        values = self._header.read(walked, found)
        facts = self._pixels.read(walked, values, found) if self._options.pixels else None
        return ImageRecord(
            path=file.path,
            split=file.split,
            image_id=file.image_id,
            size=len(buffer),
            sha256=sha256,
            pixel_digest=facts.digest if facts else None,
            rows=_number(values, "Rows"),
            columns=_number(values, "Columns"),
            sex=_word(values, "PatientSex"),
            age=_word(values, "PatientAge"),
            size_m=_float(values, "PatientSize"),
            weight_kg=_float(values, "PatientWeight"),
            transfer_syntax=walked.transfer_syntax if self._is_allowed(walked.transfer_syntax) else None,
            photometric=_word(values, "PhotometricInterpretation"),
            bits_stored=_number(values, "BitsStored"),
            smallest=facts.smallest if facts else None,
            largest=facts.largest if facts else None,
            published_form=published_form,
            mtime_ns=mtime_ns,
            ctime_ns=ctime_ns,
            inode=inode,
            account=walked.account,
            findings=found.findings,
        )

    def _is_allowed(self, transfer_syntax: str) -> bool:
        return transfer_syntax in self._profile.dicom.transfer_syntax_uids


class StoreError(Exception):
    """The examined bytes could not be written; the message says why in the system's words."""


def store(buffer: memoryview, sha256: bytes | None, source: Path, target: Path, mode: Mode) -> None:
    """Put the examined bytes into a package; leave there what an earlier run has already put there, after checking it.

    Raises
    ------
    StoreError
        When the disk is full, the folder may not be written to, or the file system cannot clone or link.
    """
    try:
        if target.exists() and target.stat().st_size == len(buffer):
            with target.open("rb") as file:
                if hashlib.file_digest(file, "sha256").digest() == (sha256 or hashlib.sha256(buffer).digest()):
                    return
        target.unlink(missing_ok=True)
        if mode == "hardlink":
            os.link(source, target)
            return
        if mode == "reflink":
            with source.open("rb") as original, target.open("wb") as clone:
                fcntl.ioctl(clone, FICLONE, original.fileno())
            return
    except OSError as error:
        raise StoreError(f"{mode}: {reason(error)}") from None
    write_through(buffer, target)


def write_through(buffer: memoryview, target: Path) -> None:
    """Write a file's bytes as they are in memory.

    Raises
    ------
    StoreError
        When the disk is full or the folder may not be written to.
    """
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            written = 0
            while written < len(buffer):
                written += os.write(descriptor, buffer[written:])
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(reason(error)) from None


def _bare(file: ImageFile, finding: Finding) -> ImageRecord:
    return ImageRecord(file.path, file.split, file.image_id, 0, findings=(finding,))


def _number(values: dict[str, tuple[Value, ...]], keyword: str) -> int | None:
    return int(values[keyword][0]) if keyword in values else None


def _float(values: dict[str, tuple[Value, ...]], keyword: str) -> float | None:
    return float(values[keyword][0]) if keyword in values else None


def _word(values: dict[str, tuple[Value, ...]], keyword: str) -> str | None:
    return sys.intern(str(values[keyword][0])) if keyword in values else None
