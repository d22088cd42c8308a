"""What machines read: valid by the schemas that others publish, the same bytes each time, and nothing in it is markup."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import junitparser
import pytest
import xmlschema
from pedicxr_release.cli import REPORT_FORMATS
from pedicxr_release.demo.faults import plant
from pedicxr_release.exceptions import RecordedException
from pedicxr_release.finding import Finding, Location, Severity, catalogue
from pedicxr_release.report.document import json_schema
from pedicxr_release.report.formats import WRITERS
from pedicxr_release.validation import GateOptions, Judged, Report, validate

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo

SCHEMAS = Path(__file__).parents[1] / "schemas"
HOSTILE = "<script>document.title='taken'</script>|`*_\"'&%0A::error::\x01 ]]>"
"""Markup of every kind, a workflow command, and characters that XML cannot hold."""


def exception(**given: object) -> RecordedException:
    known = {"check": "DCM308", "everywhere": True, "reason": "as published", "who": "A. B.", "date": dt.date(2026, 1, 1)}
    return RecordedException.model_validate({**known, **given})


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory, clean_demo: Demo) -> Report:
    """A report with findings of every severity, and an exception."""
    import copy
    import shutil

    root = tmp_path_factory.mktemp("shut") / "candidate"
    shutil.copytree(clean_demo.root, root)
    demo = type(clean_demo)(root, clean_demo.profile, copy.deepcopy(clean_demo.images))
    for name in ("patient-name", "box-outside", "source-ae-title"):
        plant(name, demo)
    return validate(root, demo.profile, GateOptions(expectations=False), exceptions=[exception()])


@pytest.fixture
def hostile(shut: Report) -> Report:
    """A report whose every free text is hostile."""
    bad = exception(reason=HOSTILE, who=HOSTILE)
    findings = [
        Judged(Finding("LAY101", HOSTILE, facts={"kind": "file"}), Severity.error),
        Judged(
            Finding("BOX104", f"{HOSTILE[:40]}.csv", Location(row=2, column=HOSTILE[:30]), {"where": "<b>x</b>"}),
            Severity.error,
            bad,
        ),
    ]
    return Report(shut.evidence, findings, GateOptions())


def test_every_format_of_the_command_has_its_writer() -> None:
    assert set(REPORT_FORMATS) == {"text", *WRITERS}


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_report_gives_the_same_bytes(shut: Report, form: str) -> None:
    assert WRITERS[form](shut) == WRITERS[form](shut)


def test_json_is_valid_by_its_schema(shut: Report) -> None:
    jsonschema.validate(json.loads(WRITERS["json"](shut)), json_schema())


@pytest.mark.parametrize("which", ["shut", "hostile"])
def test_junit_is_valid_by_the_schema_of_jenkins_and_read_by_others(which: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(which)
    text = WRITERS["junit"](report)
    xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd").validate(text)
    read = junitparser.JUnitXml.fromstring(text.encode())
    failed = {case.name.split()[0] for suite in read for case in suite if case.is_failure}
    assert failed == {j.finding.code for j in report.judged if j.severity is Severity.error and not j.excepted}
    assert read.failures == sum(suite.failures for suite in read)
    assert sum(suite.tests for suite in read) == read.tests >= len(catalogue())


def test_junit_has_a_case_a_check_and_file_group(shut: Report) -> None:
    read = junitparser.JUnitXml.fromstring(WRITERS["junit"](shut).encode())
    cases = {case.name: case for suite in read for case in suite}
    assert cases["PHI101 identifying-element [train/]"].is_failure
    assert cases["BOX104 coordinate-outside-image [annotations_train.csv]"].is_failure
    assert cases["DCM308 sop-instance-uid-is-the-image-id [dataset]"].is_skipped
    assert "as published" in cases["DCM308 sop-instance-uid-is-the-image-id [dataset]"].result[0].message
    assert cases["BOX105 minimum-not-below-maximum"].is_passed


def test_junit_fails_from_the_severity_that_shuts_the_gate(shut: Report) -> None:
    strict = Report(shut.evidence, shut.judged, GateOptions(fail_on=Severity.info))
    read = junitparser.JUnitXml.fromstring(WRITERS["junit"](strict).encode())
    assert any(case.name.startswith("STA101") and case.is_failure for suite in read for case in suite)


@pytest.mark.parametrize("which", ["shut", "hostile"])
def test_sarif_is_valid_by_its_schema(which: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(which)
    document = json.loads(WRITERS["sarif"](report))
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    (run,) = document["runs"]
    assert len(run["results"]) == len(report.judged)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])


def test_sarif_says_where_and_what_is_excepted(shut: Report) -> None:
    results = {result["ruleId"]: result for result in json.loads(WRITERS["sarif"](shut))["runs"][0]["results"]}
    box = results["BOX104"]["locations"][0]
    assert box["physicalLocation"]["artifactLocation"] == {"uri": "annotations_train.csv", "uriBaseId": "DATASET"}
    assert box["physicalLocation"]["region"]["startLine"] > 1
    assert box["logicalLocations"][0]["name"].startswith("column ")
    assert results["PHI101"]["locations"][0]["logicalLocations"][0]["name"] == "(0010,0010) PatientName"
    assert results["PHI101"]["locations"][0]["physicalLocation"]["region"]["byteOffset"] > 132
    assert results["DCM308"]["suppressions"][0]["justification"] == "as published"
    assert "suppressions" not in results["PHI101"]


def test_github_gets_one_line_a_check_the_worst_first(shut: Report) -> None:
    lines = WRITERS["github"](shut).splitlines()
    commands = [re.match(r"::(error|warning|notice) title=([A-Z]{3}\d{3})", line) for line in lines[:-1]]
    assert all(commands)
    assert [command[1] for command in commands if command] == sorted(
        (command[1] for command in commands if command), key=["error", "warning", "notice"].index
    )
    assert commands[0]
    assert commands[0][2] == "PHI101"
    assert lines[-1].startswith("GATE SHUT")


def test_github_takes_no_command_from_a_name(hostile: Report) -> None:
    lines = WRITERS["github"](hostile).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("::error title=LAY101 ")
    properties = lines[0][2:].partition("::")[0]
    assert "%253A%253A" not in properties
    assert ":" not in properties.replace("%3A", "")


def test_markdown_takes_no_markup_from_a_name(hostile: Report) -> None:
    text = WRITERS["markdown"](hostile)
    assert "<script" not in text
    assert "<b>" not in text
    assert "\\|\\`\\*\\_" in text


def test_an_older_verdict_does_not_outlive_a_run_that_failed(tmp_path: Path) -> None:
    from click.testing import CliRunner
    from pedicxr_release.cli import main

    old = tmp_path / "report.json"
    old.write_text('{"verdict": "pass"}')
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "absent"), "--format", f"json={old}"])
    assert result.exit_code == 2
    assert not old.exists()
