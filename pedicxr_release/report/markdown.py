"""The report as a Markdown summary, for a merge request or a job's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pedicxr_release.finding import Severity
from pedicxr_release.report.grouping import group_by_check, sentence
from pedicxr_release.report.table3 import summary_line
from pedicxr_release.report.text import PLACES, seen_line, verdict_line

if TYPE_CHECKING:
    from pedicxr_release.report.grouping import CheckGroup
    from pedicxr_release.validation import Report

SIGNS = {Severity.error: "🔴 error", Severity.warning: "🟡 warning", Severity.info: "🔵 info"}


def to_markdown(report: Report) -> str:
    """Write a report's verdict, its checks with their counts, and the first places of those that are not information."""
    groups = group_by_check(report)
    lines = [f"## {'✅' if report.verdict == 'pass' else '⛔'} {verdict_line(report)}", "", seen_line(report), ""]
    if groups:
        lines += ["| severity | check | findings | excepted |", "| --- | --- | ---: | ---: |"]
        lines += [
            f"| {SIGNS[group.severity]} | {group.check.code} {group.check.name} "
            f"| {len(group.findings):,} | {len(group.excepted):,} |"
            for group in groups
        ]
        lines.append("")
    for group in groups:
        if group.findings and group.severity is not Severity.info:
            lines += _details(group)
    summary = summary_line(report.table3)
    return "\n".join(lines + ([f"Table 3: {summary}.", ""] if summary else []))


def _details(group: CheckGroup) -> list[str]:
    check = group.check
    title = f"<details><summary>{check.code} {check.name} × {len(group.findings):,}</summary>"
    lines = [title, "", f"{escape(check.what)} **Remedy:** {escape(check.remedy)}", ""]
    lines += [f"- {escape(sentence(judged))}" for judged in group.findings[:PLACES]]
    if len(group.findings) > PLACES:
        lines.append(f"- … and {len(group.findings) - PLACES:,} more")
    return [*lines, "", "</details>", ""]


def escape(text: str) -> str:
    """Escape what Markdown or HTML would take for markup."""
    text = re.sub(r"([\\`*_\[\]|#!~])", r"\\\1", text.replace("\n", " "))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
