"""Findings by check, the worst first: the order in which every report but the JSON one shows them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pedicxr_release.finding import catalogue

if TYPE_CHECKING:
    from pedicxr_release.finding import Check, Severity
    from pedicxr_release.validation import Judged, Report


class CheckGroup(NamedTuple):
    """What one check found: the findings that count, then those from which an exception is recorded."""

    check: Check
    severity: Severity
    findings: list[Judged]
    excepted: list[Judged]


def group_by_check(report: Report) -> list[CheckGroup]:
    """Group a report's findings: by severity, identity first, patterns before the rows that show them, then by code."""
    counted: defaultdict[str, list[Judged]] = defaultdict(list)
    excepted: defaultdict[str, list[Judged]] = defaultdict(list)
    weights: dict[str, Severity] = {}
    for judged in report.judged:
        (excepted if judged.excepted else counted)[judged.finding.code].append(judged)
        weights[judged.finding.code] = judged.severity
    checks = catalogue()
    groups = [CheckGroup(checks[code], weight, counted[code], excepted[code]) for code, weight in weights.items()]
    return sorted(groups, key=_urgency)


def _urgency(group: CheckGroup) -> tuple[int, bool, bool, str]:
    check = group.check
    return (-group.severity.rank, check.family != "PHI", not check.pattern, check.code)


def place_of(judged: Judged) -> str:
    """Write where a finding lies: path and place in the file, empty for the dataset as a whole."""
    finding = judged.finding
    return " ".join(part for part in (finding.path, str(finding.location)) if part)


def sentence(judged: Judged) -> str:
    """Write a finding in one line: where it lies, and what is wrong there."""
    place = place_of(judged)
    return f"{place}: {judged.finding.message}" if place else judged.finding.message
