"""Every planted fault is seen, on the very file; a clean candidate stays clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pedicxr_release.candidate import list_candidate
from pedicxr_release.demo.faults import FAULTS, Fault, plant
from pedicxr_release.demo.table_faults import PATTERN_FAULTS
from pedicxr_release.finding import Severity, catalogue
from pedicxr_release.validation import GateOptions, validate

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo
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
    shown = {entry.path: entry.shown for entry in list_candidate(demo.root, profile).entries}
    hits = [judged for judged in report.judged if judged.finding.code == fault.code]
    assert shown.get(path, path) in {judged.finding.path for judged in hits}
    shuts = catalogue()[fault.code].severity is Severity.error
    assert report.verdict == ("fail" if shuts else "pass")
    assert all(judged.finding.message for judged in report.judged)
