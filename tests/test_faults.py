"""Every planted fault is seen, on the very file; a clean candidate stays clean."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release.candidate import list_candidate
from pedicxr_release.cli import main
from pedicxr_release.demo.faults import FAULTS, Fault, plant
from pedicxr_release.demo.table_faults import PATTERN_FAULTS
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.finding import Severity, catalogue
from pedicxr_release.source import open_folder
from pedicxr_release.validation import GateOptions, validate

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Profile

OPTIONS = GateOptions(workers=1)


def test_a_clean_candidate_passes(clean_demo: Demo, profile: Profile) -> None:
    report = validate(clean_demo.root, profile, OPTIONS)
    assert report.verdict == "pass"
    serious = [j.finding.code for j in report.judged if j.severity is not Severity.info]
    assert serious == ["DCM308"]


PATTERNS = [FAULTS[name] for name, *_ in PATTERN_FAULTS]
SINGLE = [fault for fault in FAULTS.values() if fault not in PATTERNS]


@pytest.mark.parametrize("fault", SINGLE, ids=lambda fault: fault.name)
def test_a_fault_is_found_on_its_file(fault: Fault, demo: Demo, profile: Profile) -> None:
    path = plant(fault.name, demo)
    report = validate(demo.root, profile, OPTIONS)
    shown = {entry.path: entry.shown for entry in list_candidate(open_folder(demo.root), profile).entries}
    hits = [judged for judged in report.judged if judged.finding.code == fault.code]
    assert shown.get(path, path) in {judged.finding.path for judged in hits}
    shuts = catalogue()[fault.code].severity is Severity.error
    assert report.verdict == ("fail" if shuts else "pass")
    assert all(judged.finding.message for judged in report.judged)


def test_an_image_under_another_name_is_no_crosswalk(demo: Demo, profile: Profile) -> None:
    """Its bytes hold its image id, and pixels that may read as anything."""
    plant("raw-name", demo)
    assert "PHI112" not in {judged.finding.code for judged in validate(demo.root, profile, OPTIONS).judged}


@pytest.mark.parametrize("count", [8, 12])
def test_every_fault_can_be_planted_into_a_few_images(count: int, profile: Profile, tmp_path: Path) -> None:
    clean = write_demo(tmp_path / "clean", profile, count, 1, downscale=12)
    for fault in SINGLE:
        root = tmp_path / fault.name / "candidate"
        shutil.copytree(clean.root, root)
        assert plant(fault.name, Demo(root, profile, copy.deepcopy(clean.images)))


def test_too_few_images_for_a_fault_is_a_clear_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "c"), "--images", "2", "--fault", "box-outside"])
    assert result.exit_code == 2
    assert "more images than 2" in result.stderr
