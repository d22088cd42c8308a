"""Is this package what was released? Sums, layout, names, and the gate again on the packaged bytes, in one read.

Each kind of tampering is named: a file that was changed, removed, added, renamed, exchanged with another; edited sums.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.candidate import shown_name
from pedicxr_release.finding import Finding
from pedicxr_release.package.checksums import SUMS_FILE, parse_sums, sums_text
from pedicxr_release.package.rehearse import judge_records, rehearse
from pedicxr_release.validation import GateOptions, Report, validate, weigh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pedicxr_release.candidate import Candidate
    from pedicxr_release.engine import Progress
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.profile import Profile


class UnreadablePackageError(ValueError):
    """What was given is no folder and no zip of a package."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of verifying.

    Attributes
    ----------
    report
        The gate's report, with the findings about the package in it.
    files, listed
        Files that have the digest that the sums list, of how many that they list.
    """

    report: Report
    files: int
    listed: int


def verify_package(
    package: Path,
    profile: Profile,
    options: GateOptions | None = None,
    *,
    exceptions: Sequence[RecordedException] = (),
    rehearsal: bool = False,
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
) -> Verified:
    """Verify a package, a folder or a zip; with a rehearsal, download it as its users do.

    Raises
    ------
    UnreadablePackageError
        When it is neither.
    """
    with unpacked(package) as root:
        report = validate(root, profile, options, progress=progress, started=started)
        digests = file_digests(root, report.evidence)
        findings = [judged.finding for judged in report.judged]
        listed, trouble = _read_sums(root)
        trouble += judge_records(root)
        if listed is None:
            listed = {}
        else:
            trouble += _compare(listed, digests)
        if rehearsal:
            trouble += rehearse(root, profile.release)
        report.judged = weigh([*findings, *trouble], report.evidence, exceptions)
        return Verified(report, sum(digests.get(path) == digest for path, digest in listed.items()), len(listed))


@contextmanager
def unpacked(package: Path) -> Iterator[Path]:
    """Give the folder of a package; a zip is unpacked into a temporary one."""
    if package.is_dir():
        yield package
        return
    try:
        with zipfile.ZipFile(package) as archive, tempfile.TemporaryDirectory(prefix="pedicxr-") as folder:
            names = archive.namelist()
            tops = {name.partition("/")[0] for name in names}
            if len(tops) != 1 or any(name.startswith("/") or ".." in name.split("/") for name in names):
                raise UnreadablePackageError(f"{package}: not every file of the zip stands under one folder")
            archive.extractall(folder)
            yield Path(folder) / tops.pop()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise UnreadablePackageError(f"{package}: not a zip that can be read ({type(error).__name__})") from None
    except FileNotFoundError:
        raise UnreadablePackageError(f"{package}: there is no such folder or zip") from None


def file_digests(root: Path, evidence: Evidence) -> dict[str, str]:
    """SHA-256 of every regular file but the list of sums, by path: as examined, or, for the few texts, read here."""
    digests = {record.path: record.sha256.hex() for record in evidence.records if record.sha256}
    digests |= {table.file: table.sha256.hex() for table in evidence.tables if table.sha256}
    for entry in evidence.candidate.entries:
        if entry.kind == "file" and entry.shown not in digests and entry.path != SUMS_FILE:
            with (root / entry.path).open("rb") as file:
                digests[entry.shown] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _read_sums(root: Path) -> tuple[dict[str, str] | None, list[Finding]]:
    """Read the sums of a package: hexadecimal digest by path, None if unreadable, and what is wrong with the file itself."""
    try:
        text = (root / SUMS_FILE).read_text(encoding="utf-8")
        listed = parse_sums(text)
    except OSError:
        return None, [Finding("PKG101", SUMS_FILE)]
    except UnicodeDecodeError:
        return None, [Finding("PKG106", SUMS_FILE, facts={"reason": "it is not UTF-8"})]
    except ValueError as error:
        return None, [Finding("PKG106", SUMS_FILE, facts={"reason": str(error)})]
    if text != sums_text({path: bytes.fromhex(digest) for path, digest in listed.items()}):
        return listed, [Finding("PKG106", SUMS_FILE, facts={"reason": "its format or order is not PhysioNet's"})]
    return listed, []


def _compare(listed: dict[str, str], digests: dict[str, str]) -> Iterator[Finding]:
    """Compare what the sums list with what is there."""
    missing, extra = sorted(set(listed) - set(digests)), sorted(set(digests) - set(listed))
    by_digest: defaultdict[str, list[str]] = defaultdict(list)
    for path in extra:
        by_digest[digests[path]].append(path)
    for path in missing:
        if by_digest[listed[path]]:
            new = by_digest[listed[path]].pop(0)
            extra.remove(new)
            yield Finding("PKG104", new, facts={"old": _shown(path)})
        else:
            yield Finding("PKG102", _shown(path))
    yield from (Finding("PKG103", path) for path in extra)
    owners = {digest: path for path, digest in listed.items()}
    lines = {path: number for number, path in enumerate(listed, start=1)}
    for path in sorted(set(listed) & set(digests)):
        if digests[path] != listed[path]:
            other = owners.get(digests[path])
            if other is not None:
                yield Finding("PKG105", path, facts={"other": _shown(other)})
            else:
                yield Finding("PKG107", path, facts={"line": lines[path]})


def _shown(path: str) -> str:
    """A path of the sums file as a report may show it."""
    return "/".join(shown_name(part, 0) for part in path.split("/"))
