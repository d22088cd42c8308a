"""The report as one page that needs nothing else: no network, no second file, and no script to be read.

Whatever comes from a file, a table or an exception is escaped by the template; a content security policy names the one
script and the one style sheet by their digests, so that nothing else could run even if it were not.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pedicxr_release.finding import Severity, catalogue
from pedicxr_release.report.grouping import group_by_check
from pedicxr_release.report.provenance import provenance
from pedicxr_release.report.table3 import footnote, shown_rows, summary_line
from pedicxr_release.report.templates import environment
from pedicxr_release.report.text import count, human_size, seen_line, verdict_line
from pedicxr_release.resources import data_folder

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.report.grouping import CheckGroup
    from pedicxr_release.stats.figures import FigureImage
    from pedicxr_release.validation import Judged, Report

CHUNK = 500
"""Findings in one list: a browser lays out only the lists that are in view."""
OPENED = 12
"""A check with no more findings than this is unfolded from the start."""


def to_html(report: Report, figures: list[FigureImage] | None = None) -> str:
    """Write a report as a page of its own; figures that have been drawn already are not drawn again."""
    style, script = ((data_folder("reports") / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    table, groups = report.table3, group_by_check(report)
    drawn = draw_figures_if_possible(report) if figures is None else figures
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            policy=f"default-src 'none'; img-src data:; style-src '{_source(style)}'; script-src '{_source(script)}'",
            style=style,
            script=script,
            release=report.profile.release,
            verdict=report.verdict,
            verdict_line=verdict_line(report),
            seen=seen_line(report),
            counts=[*((severity.value, report.counts[severity]) for severity in Severity), ("excepted", report.excepted)],
            groups=[(group, _chunks(group)) for group in groups],
            opened=OPENED,
            families=sorted({group.check.family for group in groups}),
            severities=[severity.value for severity in Severity],
            splits=list(table.collection),
            rows=list(shown_rows(table)),
            compare=bool(report.profile.reference),
            footnote=footnote(table),
            summary=summary_line(table),
            figures=None if drawn is None else [(one.title, _data_url(one.svg)) for one in drawn],
            coverage=_coverage(report),
            exceptions=_exceptions(report),
            provenance=provenance(report),
        )
    )


def _source(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _chunks(group: CheckGroup) -> list[tuple[int, list[Judged]]]:
    """Cut a check's findings into lists, each with the number of its first."""
    found = group.findings + group.excepted
    return [(start + 1, found[start : start + CHUNK]) for start in range(0, len(found), CHUNK)]


def draw_figures_if_possible(report: Report, folder: Path | None = None) -> list[FigureImage] | None:
    """Draw every figure, into a folder too if one is given; None where matplotlib is not installed."""
    try:
        from pedicxr_release.stats.figures import draw_figures
    except ImportError:
        return None
    return draw_figures(report.evidence, report.table3, folder, ("svg",)) if report.evidence.records else []


def _data_url(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


class _Looked(NamedTuple):
    """What was looked at: a part of the candidate, how much of it, and what was not."""

    what: str
    much: str
    note: str = ""


def _coverage(report: Report) -> list[_Looked]:
    evidence, release = report.evidence, report.profile.release
    looked = []
    for split in release.splits:
        records = [record for record in evidence.records if record.split == split]
        size = human_size(sum(record.size for record in records))
        hashed, pixels = (sum(bool(getattr(r, name)) for r in records) for name in ("sha256", "pixel_digest"))
        note = f"{hashed:,} with SHA-256, pixels of {pixels:,} read"
        looked.append(_Looked(f"images of {split}", f"{count(len(records), 'file')}, {size}", note))
    read = {table.file: table for table in evidence.tables}
    for file in report.profile.table_files():
        table = read.get(file)
        if table is None:
            looked.append(_Looked(file, "not there"))
        elif not table.readable:
            looked.append(_Looked(file, count(len(table.frame), "row"), "not all of it could be read; see the findings"))
        else:
            looked.append(_Looked(file, count(len(table.frame), "row")))
    files = sum(entry.kind == "file" for entry in evidence.candidate.entries)
    others = files - len(evidence.records) - len(evidence.tables)
    looked.append(_Looked("other files", count(others, "file"), "named by a finding unless the profile allows them"))
    outcomes = evidence.outcomes
    met = f"{sum(outcome.met for outcome in outcomes)} met" if outcomes else "too few rows, or left out"
    looked.append(_Looked("Great Expectations", count(len(outcomes), "expectation"), met))
    found = {judged.finding.code for judged in report.judged}
    looked.append(_Looked("checks", f"{len(catalogue())} declared", f"{len(found)} found something"))
    return looked


def _exceptions(report: Report) -> list[tuple[RecordedException, int]]:
    """Recorded exceptions that hold, each with the number of findings it is about."""
    entries: dict[int, tuple[RecordedException, int]] = {}
    for judged in report.judged:
        if judged.exception:
            entry, number = entries.get(id(judged.exception), (judged.exception, 0))
            entries[id(judged.exception)] = (entry, number + 1)
    return list(entries.values())
