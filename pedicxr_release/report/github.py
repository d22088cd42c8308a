"""The report as workflow commands, which GitHub shows as annotations: one a check, at its first place, the worst first.

GitHub keeps ten errors and ten warnings a step, so a finding each would hide all checks but the first.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from pedicxr_release.finding import Severity
from pedicxr_release.report.grouping import group_by_check, sentence
from pedicxr_release.report.text import verdict_line

if TYPE_CHECKING:
    from pedicxr_release.report.grouping import CheckGroup
    from pedicxr_release.validation import Report

COMMANDS = {Severity.error: "error", Severity.warning: "warning", Severity.info: "notice"}


def to_github(report: Report) -> str:
    """Write a report as GitHub workflow commands, and the verdict as a plain line; paths as seen from where the run began."""
    root = report.evidence.candidate.folder.path
    base = PurePath() if root is None or root.is_absolute() else PurePath(root)
    lines = [_command(group, base) for group in group_by_check(report) if group.findings]
    return "\n".join([*lines, verdict_line(report)]) + "\n"


def _command(group: CheckGroup, base: PurePath) -> str:
    check, first = group.check, group.findings[0]
    properties = {"title": f"{check.code} {check.name}"}
    if first.finding.path:
        properties["file"] = (base / first.finding.path).as_posix()
    if first.finding.location.row is not None:
        properties["line"] = str(first.finding.location.row)
    more = len(group.findings) - 1
    text = sentence(first)
    text += f"\n… and {more:,} more" if more else ""
    text += f"\n→ {check.remedy}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[group.severity]} {written}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
