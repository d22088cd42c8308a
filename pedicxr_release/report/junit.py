"""The report as JUnit XML: a suite a family of checks, a case a check and file group."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pedicxr_release.finding import catalogue
from pedicxr_release.report.grouping import group_by_check, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.report.grouping import CheckGroup
    from pedicxr_release.validation import Judged, Report

LISTED = 100
"""Places that one case names; how many there are beyond is said."""
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""


def to_junit(report: Report) -> str:
    """Write a report as JUnit XML.

    A case fails where findings shut the gate and is skipped where all are excepted; remarks are the output of a case that
    passes. A check without findings is one case that passes.
    """
    release, groups = report.profile.release, {group.check.code: group for group in group_by_check(report)}
    root = Element("testsuites", name=f"{release.name} {release.version}")
    families: defaultdict[str, list[Element]] = defaultdict(list)
    for code, check in catalogue().items():
        suite = families[check.family]
        if code in groups:
            suite += _cases(groups[code], report)
        else:
            suite.append(Element("testcase", classname=check.family, name=f"{code} {check.name}"))
    total = [0, 0]
    for family, cases in families.items():
        failures = sum(case.find("failure") is not None for case in cases)
        skipped = sum(case.find("skipped") is not None for case in cases)
        counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
        SubElement(root, "testsuite", {"name": family, **counts}).extend(cases)
        total = [total[0] + len(cases), total[1] + failures]
    root.set("tests", str(total[0]))
    root.set("failures", str(total[1]))
    root.set("errors", "0")
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(group: CheckGroup, report: Report) -> Iterator[Element]:
    """Make the cases of one check that found something: one a file group."""
    by_files: defaultdict[str, tuple[list[Judged], list[Judged]]] = defaultdict(lambda: ([], []))
    for judged in group.findings:
        by_files[_file_group(judged, report)][0].append(judged)
    for judged in group.excepted:
        by_files[_file_group(judged, report)][1].append(judged)
    check, shuts = group.check, group.severity.rank >= report.options.fail_on.rank
    for files, (counted, excepted) in sorted(by_files.items()):
        case = Element("testcase", classname=check.family, name=_clean(f"{check.code} {check.name} [{files}]"))
        message = f"{len(counted or excepted)} × {check.what}"
        if counted and shuts:
            SubElement(case, "failure", type=group.severity.value, message=message).text = _listing(group, counted)
        elif counted:
            SubElement(case, "system-out").text = f"{group.severity.value}: " + _listing(group, counted)
        else:
            SubElement(case, "skipped", type="excepted", message=_clean(f"{message} ({_reasons(excepted)})"))
        yield case


def _file_group(judged: Judged, report: Report) -> str:
    """A split's images together, any other file by itself, and the dataset as a whole."""
    path = judged.finding.path
    folder = path.partition("/")[0]
    return f"{folder}/" if "/" in path and folder in report.profile.release.splits else path or "dataset"


def _listing(group: CheckGroup, found: list[Judged]) -> str:
    lines = [sentence(judged) for judged in found[:LISTED]]
    if len(found) > LISTED:
        lines.append(f"… and {len(found) - LISTED} more")
    return _clean("\n".join([*lines, f"→ {group.check.remedy}"]))


def _reasons(excepted: list[Judged]) -> str:
    return "; ".join(dict.fromkeys(str(judged.exception.reason) for judged in excepted if judged.exception))


def _clean(text: str) -> str:
    return NOT_XML.sub("�", text)
