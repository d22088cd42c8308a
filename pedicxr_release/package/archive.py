"""The zip that PhysioNet would serve: every file under one folder, the same bytes on every run.

Entries are sorted, carry plain permissions and one time, and are stored or deflated, whichever is smaller. ZIP64 where needed.
Source: physionet-build, project/modelcomponents/publishedproject.py.
"""

from __future__ import annotations

import os
import re
import shutil
import time
import unicodedata
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Release

DEFAULT_EPOCH = 315_532_800
"""1980-01-01, the earliest time that a zip can carry."""
BLOCK = 1 << 20


def source_date_epoch() -> int:
    """The time that everything made carries: ``SOURCE_DATE_EPOCH`` (reproducible-builds.org), or 1980-01-01.

    Raises
    ------
    ValueError
        When the variable is no whole number.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not text.isdigit():
        raise ValueError("SOURCE_DATE_EPOCH is not a whole number of seconds")
    return max(DEFAULT_EPOCH, int(text)) if text else DEFAULT_EPOCH


def archive_name(release: Release) -> str:
    """Name of the zip and of the folder in it, without the ending: the slugified title and the version."""
    plain = unicodedata.normalize("NFKD", release.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-_")
    return f"{slug}-{release.version}"


def write_archive(folder: Path, target: Path, inner: str) -> None:
    """Zip a package.

    Parameters
    ----------
    folder
        The package.
    target
        The zip to write.
    inner
        The folder under which every file stands in it.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    moment = time.gmtime(source_date_epoch())[:6]
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        files = sorted(
            (path for path in folder.rglob("*") if path.is_file()), key=lambda p: os.fsencode(p.relative_to(folder))
        )
        for path in files:
            entry = zipfile.ZipInfo(f"{inner}/{path.relative_to(folder).as_posix()}", moment)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            entry.file_size = path.stat().st_size
            entry.compress_type = zipfile.ZIP_DEFLATED if _deflates(path, entry.file_size) else zipfile.ZIP_STORED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=entry.file_size >= 1 << 31) as out:
                shutil.copyfileobj(source, out, BLOCK)


def _deflates(path: Path, size: int) -> bool:
    """Whether the file gets smaller by deflating."""
    deflate = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            deflated += len(deflate.compress(block))
            if deflated >= size:
                return False
    return deflated + len(deflate.flush()) < size
