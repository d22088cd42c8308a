"""What a report was made with, and on which bytes: so that somebody else can make it again."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from pedicxr_release.report.document import files_seen

if TYPE_CHECKING:
    from pedicxr_release.validation import Report

LIBRARIES = ("click", "great-expectations", "numpy", "pandas", "pandera", "pydantic", "pydicom", "wfdb")


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that the gate stands on."""
    return {name: metadata.version(name) for name in LIBRARIES}


def evidence_digest(report: Report) -> str | None:
    """SHA-256 over path and SHA-256 of every image and table that was read; None if one was not hashed.

    It is that of the lines ``<SHA-256>  <path>``, sorted by path: what ``sha256sum`` prints.
    """
    files = files_seen(report)
    if not all(file.sha256 for file in files):
        return None
    return hashlib.sha256("".join(f"{file.sha256}  {file.path}\n" for file in files).encode()).hexdigest()


def provenance(report: Report) -> dict[str, str]:
    """Return what the report was made with, by what it is called."""
    release, options = report.profile.release, report.options
    left_out = {"pixels": options.pixels, "checksums": options.hash, "expectations": options.expectations}
    return {
        "tool": f"pedicxr-release {report.tool_version}",
        "profile": f"{release.name} {release.version}, SHA-256 {report.profile.digest}",
        "dataset": report.evidence.candidate.folder.shown,
        "SHA-256 over all files read": evidence_digest(report) or "not computed: checksums were left out",
        "findings that shut the gate": f"{options.fail_on.value} and above",
        "declared counts and Table 3": "a duty" if report.evidence.published else "information",
        "left out": ", ".join(name for name, done in left_out.items() if not done) or "nothing",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version}" for name, version in library_versions().items()),
    }
