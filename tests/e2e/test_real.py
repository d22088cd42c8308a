"""The gate on real files: a chest radiograph as it left the hospital, the same properly stripped, and every odd file there is."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release.cli import main
from pedicxr_release.identity import identifying_attributes
from pedicxr_release.validation import GateOptions, validate
from pydicom import dcmread

from tests.candidates import real, real_candidate, real_files

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Profile

RAW = "0" * 32


@pytest.fixture
def candidate(tmp_path: Path, profile: Profile) -> Path:
    return real_candidate(tmp_path / "candidate", profile)


def text_values(path: Path) -> set[str]:
    """Every value of a DICOM file that could identify: texts of four characters or more."""
    data_set = dcmread(path)
    values = {
        str(part) for e in data_set.iterall() if e.VR not in ("SQ", "OW", "US", "CS", "DS", "IS") for part in _parts(e.value)
    }
    values |= {str(e.value) for e in data_set.file_meta if e.VR in ("UI", "SH", "AE")}
    known = {"1.2.840.10008.1.2.1"}
    return {value for value in values if len(value) >= 4} - known


def _parts(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]  # type: ignore[call-overload]


def test_the_raw_radiograph_shuts_the_gate_and_no_value_is_shown(candidate: Path) -> None:
    shutil.copy(real("RG1_UNCI.dcm"), candidate / "train" / f"{RAW}.dicom")
    result = CliRunner().invoke(main, ["validate", str(candidate), "--format", "json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["verdict"] == "fail"
    here = [finding for finding in report["findings"] if finding["path"] == f"train/{RAW}.dicom"]
    named = {finding["location"].get("keyword") for finding in here}
    data_set = dcmread(real("RG1_UNCI.dcm"))
    retained_or_meta = {"PatientSex"}
    identifying = {e.keyword for e in data_set if int(e.tag) in identifying_attributes()} - retained_or_meta
    assert identifying >= {"PatientName", "PatientID", "PatientBirthDate", "InstitutionName", "StudyInstanceUID"}
    assert identifying <= named
    assert {"SourceApplicationEntityTitle", "ImplementationVersionName"} <= named
    everything = result.stdout + result.stderr + CliRunner().invoke(main, ["validate", str(candidate), "-v"]).output
    shown = {value for value in text_values(real("RG1_UNCI.dcm")) if value in everything}
    assert not shown


def test_the_stripped_radiograph_passes_and_is_packaged(candidate: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["validate", str(candidate)])
    assert result.exit_code == 0, result.output
    assert "GATE OPEN" in result.stdout
    stats = CliRunner().invoke(main, ["stats", str(candidate), "--format", "json"])
    collection = json.loads(stats.stdout)["collection"]["train"]
    assert (collection["scans"], collection["rows"], collection["columns"]) == (1, 1955, 1841)
    assert (collection["female_percent"], collection["with_sex"], collection["with_age"]) == (100, 1, 0)
    packaged = CliRunner().invoke(main, ["package", str(candidate), str(tmp_path / "out")])
    assert packaged.exit_code == 0, packaged.output
    folder = tmp_path / "out" / "vindr-pcxr-1.0.0"
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS.txt"], cwd=folder, check=True)


def test_no_text_of_the_stripped_radiograph_looks_like_identity(candidate: Path, profile: Profile) -> None:
    report = validate(candidate, profile, GateOptions(workers=1))
    assert not [judged.finding for judged in report.judged if judged.finding.code.startswith("PHI")]


def test_every_file_of_pydicom_gets_findings_and_no_traceback(candidate: Path, profile: Profile) -> None:
    files = real_files()
    assert len(files) > 150
    names = {}
    for number, path in enumerate(files, start=1):
        name = f"{number:032x}.dicom"
        shutil.copy(path, candidate / "train" / name)
        names[f"train/{name}"] = path.name
    report = validate(candidate, profile, GateOptions())
    failed = {names[j.finding.path]: dict(j.finding.facts) for j in report.judged if j.finding.code == "RUN105"}
    assert not failed
    with_findings = {finding.path for record in report.evidence.records for finding in record.findings}
    assert set(names) <= with_findings
    assert {j.finding.code for j in report.judged if j.finding.code.startswith("RUN")} <= {"RUN104"}
