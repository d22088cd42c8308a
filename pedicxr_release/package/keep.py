"""What the release manager keeps beside the package: reports, Table 3, exceptions, profile, versions, and what ties them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pedicxr_release import __version__
from pedicxr_release.report.document import to_json
from pedicxr_release.report.html import draw_figures_if_possible, to_html
from pedicxr_release.report.provenance import library_versions
from pedicxr_release.report.table3 import table3_csv, table3_html, table3_markdown
from pedicxr_release.report.text import print_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.validation import Report


def write_evidence(folder: Path, report: Report, exceptions: Sequence[RecordedException], digest: str) -> None:
    """Write the evidence folder.

    Parameters
    ----------
    folder
        The folder to make.
    report
        The gate's report on the packaged bytes.
    exceptions
        The recorded exceptions that were used.
    digest
        SHA-256 of the package's SHA256SUMS.txt.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    folder.mkdir(parents=True)
    release = report.profile.release
    table = report.table3
    (folder / "report.json").write_text(to_json(report, with_evidence=True), encoding="utf-8")
    with (folder / "report.txt").open("w", encoding="utf-8") as file:
        print_report(report, Console(file=file, width=10_000), every=True)
    (folder / "table3.csv").write_text(table3_csv(table), encoding="utf-8")
    (folder / "table3.md").write_text(table3_markdown(table, compare=True), encoding="utf-8")
    (folder / "table3.html").write_text(table3_html(table, release), encoding="utf-8")
    (folder / "exceptions.json").write_text(
        json.dumps([entry.model_dump(mode="json", exclude_none=True) for entry in exceptions], indent=2) + "\n",
        encoding="utf-8",
    )
    shutil.copytree(Path(report.profile.folder), folder / "profile")
    figures = draw_figures_if_possible(report, folder / "figures")
    (folder / "report.html").write_text(to_html(report, figures), encoding="utf-8")
    tied = {
        "release": {"name": release.name, "slug": release.slug, "version": release.version, "title": release.title},
        "verdict": report.verdict,
        "counts": {severity.value: count for severity, count in sorted(report.counts.items())},
        "excepted": report.excepted,
        "sha256_of_sums": digest,
        "profile_digest": report.profile.digest,
        "tool": {"name": "pedicxr-release", "version": __version__},
        "libraries": library_versions(),
    }
    (folder / "release.json").write_text(json.dumps(tied, indent=2) + "\n", encoding="utf-8")
