"""Write the package: validate and write each file in one read, and rename the whole into place at the end.

Until then everything lies in a hidden staging folder beside the target, so nothing that looks like a package is ever half. A
run that was killed leaves its staging folder; the next run of the same release goes on with it, after checking each file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release import __version__
from pedicxr_release.candidate import list_candidate
from pedicxr_release.examine.image import StoreError, write_through
from pedicxr_release.package.archive import archive_name, source_date_epoch, write_archive
from pedicxr_release.package.checksums import SUMS_FILE, sums_text
from pedicxr_release.package.keep import write_evidence
from pedicxr_release.package.lock import locked
from pedicxr_release.package.metadata import croissant_text, subject_info_text
from pedicxr_release.package.readme import readme_text
from pedicxr_release.profile import CROISSANT_FILE, SUBJECT_FILE
from pedicxr_release.source import local_path, reason
from pedicxr_release.validation import GateOptions, Report, validate
from pedicxr_release.workers import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pedicxr_release.candidate import Candidate
    from pedicxr_release.engine import Progress
    from pedicxr_release.examine.image import Mode
    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.profile import Profile
    from pedicxr_release.source import Folder

LICENSE_FILE, README_FILE, JOURNAL = "LICENSE.txt", "README.md", "journal.json"


class PackageError(RuntimeError):
    """The package cannot be written; nothing that looks like one was left."""


class TargetError(PackageError):
    """The package may not be written there."""


@dataclass(frozen=True, slots=True)
class Package:
    """What came of packaging.

    Attributes
    ----------
    report
        The gate's report.
    folder, archive, evidence
        The finished package, its zip if one was asked for, and what the release manager keeps; None if the gate is shut.
    files, bytes
        How much is in it.
    digest
        SHA-256 of its SHA256SUMS.txt, which stands for all of it.
    """

    report: Report
    folder: Path | None = None
    archive: Path | None = None
    evidence: Path | None = None
    files: int = 0
    bytes: int = 0
    digest: str = ""


def write_package(
    where: Path | str,
    out: Path,
    profile: Profile,
    options: GateOptions | None = None,
    *,
    exceptions: Sequence[RecordedException] = (),
    archive: bool = False,
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
) -> Package:
    """Validate a candidate and, if the gate is open, write ``OUT/<slug>-<version>/`` and ``….evidence/``.

    Parameters
    ----------
    where
        The dataset folder, or its URL; never written to.
    out
        The folder in which the package is made. It is created if need be.
    archive
        Whether the zip is made too.
    profile, options, exceptions, progress, started
        As for `validate`.

    Raises
    ------
    TargetError
        When the target exists or lies in the dataset.
    PackageError
        When the disk is full, the folder may not be written to, or a file changed while the package was made.
    LockedError
        When another run is making the same package.
    SourceError
        As `validate`.
    """
    name = profile.release.folder_name
    target, zipped = out / name, out / f"{archive_name(profile.release)}.zip"
    for path in (target, *([zipped] if archive else [])):
        if path.exists() or path.is_symlink():
            raise TargetError(f"{path} exists; remove it, or give another folder or version")
    options = replace(options or GateOptions(), pixels=True, hash=True)
    here = local_path(where)
    if not here and options.mode != "copy":
        raise TargetError(f"--mode {options.mode} needs the dataset on this machine's file system; use --mode copy")
    if here and target.resolve().is_relative_to(here.resolve()):
        raise TargetError(f"{out} lies inside the dataset; give a folder outside of it")
    made = _make_folders(out)
    staging = out / f".{name}.partial"
    try:
        with locked(out / f".{name}.lock"):
            try:
                options = replace(options, store=str(staging / name))
                _prepare_staging(staging, where, profile, options.mode)
                report = validate(where, profile, options, exceptions=exceptions, progress=progress, started=started)
                if report.verdict == "fail":
                    return Package(report)
                _check_packageable(report)
                return _finish(staging / name, target, zipped if archive else None, report, exceptions)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except (OSError, StoreError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise PackageError(f"{out}: the package cannot be written: {why}; nothing was left behind") from None
    finally:
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


def _prepare_staging(staging: Path, where: Path | str, profile: Profile, mode: Mode) -> None:
    """Start a staging folder, or go on with the one that a killed run of the same release left.

    The mode counts: a staged file may be another name of a source file, which a copying run would give permissions and times.
    """
    here = local_path(where)
    dataset = str(here.resolve() if here else where)
    source = hashlib.sha256(dataset.encode()).hexdigest()  # a URL may hold a password
    journal = {"dataset": source, "profile": profile.digest, "tool": __version__, "mode": mode}
    content = staging / profile.release.folder_name
    try:
        same = json.loads((staging / JOURNAL).read_text(encoding="utf-8")) == journal
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(staging, ignore_errors=True)
    for split in profile.release.splits:
        (content / split).mkdir(parents=True, exist_ok=True)
    (staging / JOURNAL).write_text(json.dumps(journal), encoding="utf-8")


def _check_packageable(report: Report) -> None:
    """Stop if an exception let something pass that has no place in a package: a file that is no image, or was not read."""
    for record in report.evidence.records:
        if not record.image_id or not record.sha256:
            raise PackageError(f"{record.path} cannot be packaged, though an exception lets it pass: remove or mend it")


def _finish(
    content: Path, target: Path, zipped: Path | None, report: Report, exceptions: Sequence[RecordedException]
) -> Package:
    """Add tables, texts and sums to the images that are there, and put the whole into place."""
    digests = {record.path: record.sha256 for record in report.evidence.records if record.sha256}
    sizes = {record.path: record.size for record in report.evidence.records}

    def put(name: str, data: bytes) -> None:
        (content / name).parent.mkdir(exist_ok=True)
        write_through(memoryview(data), content / name)
        digests[name], sizes[name] = hashlib.sha256(data).digest(), len(data)

    for name, data in _texts(report).items():
        put(name, data)
    if report.profile.release.croissant:
        put(CROISSANT_FILE, croissant_text(report, digests, sizes).encode())
    sums = sums_text(digests).encode()
    write_through(memoryview(sums), content / SUMS_FILE)
    _remove_strangers(content, {*digests, SUMS_FILE})
    _check_unchanged(report)
    digest = hashlib.sha256(sums).hexdigest()
    evidence = content.with_name(f"{content.name}.evidence")
    shutil.rmtree(evidence, ignore_errors=True)
    linked = {record.path for record in report.evidence.records} if report.options.mode == "hardlink" else set()
    settled = in_background(lambda: _settle(content, linked=linked))  # the disk takes the images while we draw
    write_evidence(evidence, report, exceptions, digest)
    settled.result()
    _settle(evidence, linked=set())
    beside = target.with_name(evidence.name)
    shutil.rmtree(beside, ignore_errors=True)
    if zipped:
        partial = content.with_name(zipped.name)
        write_archive(content, partial, zipped.stem)
        partial.chmod(0o644)
        os.utime(partial, (source_date_epoch(), source_date_epoch()))
        _sync(partial)
        partial.rename(zipped)
    evidence.rename(beside)
    content.rename(target)  # the package is there from this moment on, whole
    _sync(target.parent)
    return Package(report, target, zipped, beside, len(digests) + 1, sum(sizes.values()) + len(sums), digest)


def _texts(report: Report) -> dict[str, bytes]:
    """Tables, subjects, licence and README."""
    texts: dict[str, bytes] = {}
    folder = report.evidence.candidate.folder
    for table in report.evidence.tables:
        data = _read(folder, table.file)
        if hashlib.sha256(data).digest() != table.sha256:
            raise PackageError(f"{table.file} was changed while the gate was reading; run again")
        texts[table.file] = data
    if report.profile.release.subject_info:
        texts[SUBJECT_FILE] = subject_info_text(report).encode()
    own = {entry.path for entry in report.evidence.candidate.entries if entry.kind == "file"}
    for name, made in ((LICENSE_FILE, _license(report.profile)), (README_FILE, readme_text(report).encode())):
        texts[name] = _read(folder, name) if name in own else made
    return texts


def _read(folder: Folder, name: str) -> bytes:
    with folder.open(name) as file:
        return file.read()


def _license(profile: Profile) -> bytes:
    if profile.license_text is not None:
        return profile.license_text
    release = profile.release
    where = f"\n\n{release.license.url}" if release.license.url else ""
    return f"{release.title}\n\nThis dataset is offered under: {release.license.name}{where}\n".encode()


def _remove_strangers(content: Path, wanted: set[str]) -> None:
    """Remove what a killed run staged and this one does not publish."""
    for path in content.rglob("*"):
        if path.is_file() and path.relative_to(content).as_posix() not in wanted:
            path.unlink()


def _check_unchanged(report: Report) -> None:
    """Stop the release if an image is not the file any more that was examined; behind a URL, if its size is another."""
    candidate = report.evidence.candidate
    now = {entry.shown: entry for entry in list_candidate(candidate.folder.again(), report.profile).entries}
    for record in report.evidence.records:
        entry = now.get(record.path)
        if entry is None:
            raise PackageError(f"{record.path} vanished while the package was made; run again")
        if (entry.size, entry.mtime_ns, entry.inode) != (record.size, record.mtime_ns, record.inode):
            raise PackageError(f"{record.path} was changed while the package was made; run again")


def _settle(folder: Path, linked: set[str]) -> None:
    """Give every file and folder plain permissions and one time, and have the disk hold them before the rename.

    Files that are another name of a source file keep its permissions and time: the source is never written to.
    """
    moment = source_date_epoch()
    for where, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(where, name)
            if path.relative_to(folder).as_posix() not in linked:
                path.chmod(0o644)
                os.utime(path, (moment, moment))
                _sync(path)
        Path(where).chmod(0o755)
        os.utime(where, (moment, moment))
        _sync(Path(where))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
