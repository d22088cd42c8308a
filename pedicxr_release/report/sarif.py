"""The report as SARIF 2.1.0 (OASIS), for code scanning and its viewers: a rule a check, a result a finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pedicxr_release.finding import Severity, catalogue

if TYPE_CHECKING:
    from pedicxr_release.finding import Check, Finding
    from pedicxr_release.validation import Judged, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.error: "error", Severity.warning: "warning", Severity.info: "note"}


def to_sarif(report: Report) -> str:
    """Write a report as SARIF: paths relative to the dataset, suppressions for the recorded exceptions."""
    rules = {code: number for number, code in enumerate(catalogue())}
    driver = {
        "name": "pedicxr-release",
        "semanticVersion": report.tool_version,
        "rules": [_rule(check) for check in catalogue().values()],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "exitCode": 0 if report.verdict == "pass" else 1}],
        "originalUriBaseIds": {"DATASET": {"description": {"text": "the dataset folder"}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(judged, rules[judged.finding.code]) for judged in report.judged],
        "properties": {"verdict": report.verdict, "profileDigest": report.profile.digest},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.code,
        "name": "".join(part.capitalize() for part in check.name.split("-")),
        "shortDescription": {"text": check.what},
        "fullDescription": {"text": f"{check.what} {check.why}"},
        "help": {
            "text": f"{check.remedy}\n\nSource: {check.source}",
            "markdown": f"**Why.** {check.why}\n\n**Remedy.** {check.remedy}\n\n**Source.** {check.source}",
        },
        "defaultConfiguration": {"level": LEVELS[check.severity]},
        "properties": {"tags": [check.family]},
    }


def _result(judged: Judged, rule: int) -> dict[str, Any]:
    finding = judged.finding
    result = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": LEVELS[judged.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding)],
    }
    if judged.exception:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": judged.exception.reason}]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    """Where: line or byte of a file, the element or column by name; a finding about the whole names its root."""
    place = finding.location
    artifact = {"uri": quote(finding.path) or ".", "uriBaseId": "DATASET"}
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if place.row is not None:
        physical["region"] = {"startLine": place.row}
    elif place.offset is not None:
        physical["region"] = {"byteOffset": place.offset, "byteLength": 0}
    location: dict[str, Any] = {"physicalLocation": physical}
    name = " ".join(part for part in (place.tag, place.keyword) if part) or (
        "" if place.column is None else f"column {place.column}"
    )
    if name:
        location["logicalLocations"] = [{"name": name, "kind": "member"}]
    return location
