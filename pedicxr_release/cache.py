"""Evidence of earlier runs, in a small SQLite file: a file that has not changed is not read again by `validate`.

An entry is found by a digest over all that it depends on: where the file lies, its size, inode and times of change, the
profile, this program and the libraries that read with it. It holds what a record holds, which is nothing that identifies.
`package` and `verify` never ask it. A cache that cannot be used is an error only to somebody who asked for it.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from pedicxr_release.examine.record import ImageRecord
from pedicxr_release.finding import Finding, Location
from pedicxr_release.resources import data_folder, reader_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pedicxr_release.candidate import Entry
    from pedicxr_release.examine.image import ExamineOptions
    from pedicxr_release.profile import Profile

FILE = "evidence.sqlite"
UNSETTLED = 2_000_000_000
"""A file that changed so many nanoseconds before the run might change again without another time; it is not kept."""
KEPT_DAYS = 90
AT_ONCE = 500
"""Keys in one query."""
NOT_EVIDENCE = ("RUN", "LAY113")
"""Findings about the run and the machine rather than about the file: tried anew each time."""


class CacheError(Exception):
    """The cache cannot be used; the message says why."""


def default_folder() -> Path:
    """The user's own cache folder for this program."""
    return Path(platformdirs.user_cache_dir("pedicxr-release"))


class EvidenceCache:
    """A cache of image records, and of what came of expectations.

    Parameters
    ----------
    folder
        Where the SQLite file lies; made if need be. Two runs may use it at once.

    Raises
    ------
    CacheError
        When it cannot be made or opened.
    """

    def __init__(self, folder: Path) -> None:
        self._today = int(time.time() // 86_400)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self._open(folder / FILE)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                (folder / FILE).unlink()  # no database, or a broken one: there is nothing to lose
                self._open(folder / FILE)
        except (OSError, sqlite3.Error) as error:
            raise CacheError(f"{folder}: the cache cannot be used ({type(error).__name__})") from None

    def _open(self, file: Path) -> None:
        file.touch(mode=0o600)
        self._database = sqlite3.connect(file, timeout=10, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value TEXT, used INTEGER) WITHOUT ROWID"
        )
        self._database.execute("DELETE FROM entries WHERE used < ?", (self._today - KEPT_DAYS,))

    def find(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Look up values by their keys, and note that they were used. A cache that fails holds nothing."""
        found: dict[bytes, str] = {}
        try:
            for start in range(0, len(keys), AT_ONCE):
                part = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                found |= self._database.execute(f"SELECT key, value FROM entries WHERE key IN ({marks})", part).fetchall()  # noqa: S608 (question marks)
                self._database.execute(
                    f"UPDATE entries SET used = ? WHERE used < ? AND key IN ({marks})",  # noqa: S608
                    (self._today, self._today, *part),
                )
        except sqlite3.Error:
            return found
        return found

    def keep(self, values: dict[bytes, str]) -> None:
        """Keep values, all or none of them. A cache that fails keeps nothing."""
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                rows = [(key, value, self._today) for key, value in values.items()]
                self._database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            return

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class RecordCache:
    """The records of one dataset, as seen with one profile and one set of options.

    Parameters
    ----------
    cache
        Where they are kept.
    folder, profile, options
        What a record depends on, beside its file.
    """

    def __init__(self, cache: EvidenceCache, folder: Path, profile: Profile, options: ExamineOptions) -> None:
        self._cache = cache
        depends = [program_digest(), str(folder.absolute()), profile.digest, options.pixels, options.hash]
        self._base = hashlib.blake2b(json.dumps(depends).encode(), digest_size=16)
        self._started = time.time_ns()

    def find(self, entries: Sequence[Entry]) -> Iterator[ImageRecord]:
        """Return the records of those files that are as they were."""
        keys = [self._key(entry.shown, entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode) for entry in entries]
        found = self._cache.find(keys)
        for key, entry in zip(keys, entries, strict=True):
            if key in found:
                yield dataclasses.replace(_record(found[key]), path=entry.shown)

    def keep(self, records: Sequence[ImageRecord]) -> None:
        """Keep the records of files that had settled when the run began."""
        self._cache.keep({
            self._key(record.path, record.size, record.mtime_ns, record.ctime_ns, record.inode): _text(record)
            for record in records
            if 0 < max(record.mtime_ns, record.ctime_ns) < self._started - UNSETTLED
            and not any(finding.code.startswith(NOT_EVIDENCE) for finding in record.findings)
        })  # fmt: skip

    def _key(self, *depends: str | int) -> bytes:
        digest = self._base.copy()
        digest.update(json.dumps(depends).encode())
        return digest.digest()


@functools.cache
def program_digest() -> str:
    """Digest over what examines: this program's files and data by size and time, and the versions of the libraries."""
    parts = [f"{name} {version}" for name, version in reader_versions().items()]
    for folder in (Path(__file__).parent, data_folder("checks")):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".yaml", ".csv", ".txt", ".json"):
                status = file.stat()
                parts.append(f"{file.relative_to(folder)} {status.st_size} {status.st_mtime_ns}")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


LEFT_OUT = frozenset({"account"})
"""Only `inspect` shows it."""


def _text(record: ImageRecord) -> str:
    row: dict[str, Any] = {
        field.name: value.hex() if isinstance(value, bytes) else value
        for field in dataclasses.fields(record)
        if field.name not in LEFT_OUT and (value := getattr(record, field.name)) != field.default
    }
    if record.findings:
        row["findings"] = [_finding_row(finding) for finding in record.findings]
    return json.dumps(row, separators=(",", ":"))


def _finding_row(finding: Finding) -> list[Any]:
    place = finding.location
    return [finding.code, [place.tag, place.keyword, place.row, place.column, place.offset], dict(finding.facts)]


def _record(text: str) -> ImageRecord:
    row = json.loads(text)
    for name in ("sha256", "pixel_digest"):
        if name in row:
            row[name] = bytes.fromhex(row[name])
    path, image_id = row["path"], row["image_id"]
    row["findings"] = tuple(
        Finding(code, path, Location(*place), facts, image_id) for code, place, facts in row.get("findings", ())
    )
    return ImageRecord(**row)
