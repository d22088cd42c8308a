"""Write the package: validate and write each file in one read, and rename the whole into place at the end.

Until then everything lies in a hidden staging folder beside the target, so nothing that looks like a package is ever half.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.examine.image import StoreError, reason, write_through
from pedicxr_release.package.checksums import SUMS_FILE, sums_text
from pedicxr_release.package.readme import readme_text
from pedicxr_release.validation import GateOptions, Report, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pedicxr_release.candidate import Candidate
    from pedicxr_release.engine import Progress
    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.profile import Profile

LICENSE_FILE, README_FILE = "LICENSE.txt", "README.md"


class PackageError(RuntimeError):
    """The package cannot be written; nothing that looks like one was left."""


@dataclass(frozen=True, slots=True)
class Package:
    """What came of packaging.

    Attributes
    ----------
    report
        The gate's report.
    folder
        The finished package; None if the gate is shut.
    files, bytes
        How much is in it.
    digest
        SHA-256 of its SHA256SUMS.txt, which stands for all of it.
    """

    report: Report
    folder: Path | None
    files: int = 0
    bytes: int = 0
    digest: str = ""


def write_package(
    root: Path,
    out: Path,
    profile: Profile,
    options: GateOptions | None = None,
    *,
    exceptions: Sequence[RecordedException] = (),
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
) -> Package:
    """Validate a candidate and, if the gate is open, write ``OUT/<slug>-<version>/``.

    Parameters
    ----------
    root
        The dataset folder; never written to.
    out
        The folder in which the package is made. It is created if need be.
    profile, options, exceptions, progress, started
        As for `validate`.

    Raises
    ------
    PackageError
        When the target exists, or the disk is full, or the folder may not be written to.
    CandidateError
        As `validate`.
    """
    target = out / profile.release.folder_name
    if target.exists() or target.is_symlink():
        raise PackageError(f"{target} exists; remove it, or give another folder or version")
    if target.resolve().is_relative_to(root.resolve()):
        raise PackageError(f"{out} lies inside the dataset; give a folder outside of it")
    staging = out / f".{profile.release.folder_name}.partial"
    made = _make_folders(out)
    try:
        shutil.rmtree(staging, ignore_errors=True)
        for split in profile.release.splits:
            (staging / split).mkdir(parents=True)
        options = replace(options or GateOptions(), pixels=True, hash=True, store=str(staging))
        report = validate(root, profile, options, exceptions=exceptions, progress=progress, started=started)
        if report.verdict == "fail":
            return Package(report, None)
        package = _finish(root, staging, target, report)
    except (OSError, StoreError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise PackageError(f"{out}: the package cannot be written: {why}; nothing was left behind") from None
    else:
        return package
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()  # only if it is empty: the folders made for a package that was not written


def _make_folders(out: Path) -> list[Path]:
    """Make a folder and its parents; return those that were made, deepest first."""
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"{out}: the folder cannot be made: {reason(error)}") from None
    return missing


def _finish(root: Path, staging: Path, target: Path, report: Report) -> Package:
    """Add tables, texts and sums to the images that are there, and put the whole into place."""
    digests = {record.path: record.sha256 for record in report.evidence.records if record.sha256}
    sizes = {record.path: record.size for record in report.evidence.records}
    texts: dict[str, bytes] = {}
    for table in report.evidence.tables:
        data = (root / table.file).read_bytes()
        if hashlib.sha256(data).digest() != table.sha256:
            raise PackageError(f"{table.file} was changed while the gate was reading; run again")
        texts[table.file] = data
    own = {entry.path for entry in report.evidence.candidate.entries if entry.kind == "file"}
    for name, made in ((LICENSE_FILE, _license(report.profile)), (README_FILE, readme_text(report).encode())):
        texts[name] = (root / name).read_bytes() if name in own else made
    for name, data in texts.items():
        write_through(memoryview(data), staging / name)
        digests[name], sizes[name] = hashlib.sha256(data).digest(), len(data)
    sums = sums_text(digests).encode()
    write_through(memoryview(sums), staging / SUMS_FILE)
    _settle(staging)
    staging.rename(target)
    _sync(target.parent)
    return Package(report, target, len(digests) + 1, sum(sizes.values()) + len(sums), hashlib.sha256(sums).hexdigest())


def _license(profile: Profile) -> bytes:
    if profile.license_text is not None:
        return profile.license_text
    release = profile.release
    where = f"\n\n{release.license.url}" if release.license.url else ""
    return f"{release.title}\n\nThis dataset is offered under: {release.license.name}{where}\n".encode()


def _settle(staging: Path) -> None:
    """Give every file and folder plain permissions, and have the disk hold them before the rename."""
    for folder, _, files in os.walk(staging):
        for name in files:
            path = Path(folder, name)
            path.chmod(0o644)
            _sync(path)
        Path(folder).chmod(0o755)
        _sync(Path(folder))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
