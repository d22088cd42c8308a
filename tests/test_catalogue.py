"""What is declared and what is checked are the same."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pedicxr_release
import pytest
from pedicxr_release.demo.faults import FAULTS
from pedicxr_release.finding import Check, catalogue

PACKAGE = Path(pedicxr_release.__file__).parent
CODE = re.compile(r'"((?:LAY|DCM|PHI|PIX|CSV|BOX|LAB|SPL|STA|PKG|RUN)\d{3})"')
WITHOUT_FAULT = {
    "LAY110": "every demo differs from the declared counts: test_stats",
    "LAY111": "a file of more than 10 GiB: test_layout",
    "LAY113": "needs a user who may not read: test_cli",
    "LAY114": "an empty candidate: test_cli",
    "DCM110": "test_part10",
    "DCM308": "said of every demo",
    "PIX113": "needs an odd number of 8-bit pixels: test_pixels",
    "CSV115": "no string column of this profile without a stricter rule: test_tables",
    "CSV118": "a table of more than 4 GiB: test_tables",
    "LAB114": "an image has one reader in this profile: test_second_profile",
    "STA101": "every demo differs from the reference: test_stats",
    "STA102": "test_expectations",
    "STA103": "said of every demo",
    "STA104": "test_expectations",
    **{f"PKG10{number}": "test_verify" for number in range(1, 10)},
    "RUN101": "test_engine",
    "RUN102": "test_engine",
    "RUN103": "test_engine",
    "RUN104": "test_engine",
    "RUN105": "test_engine",
    "RUN201": "test_exceptions",
    "RUN202": "test_exceptions",
    "RUN203": "test_exceptions",
    "RUN204": "test_exceptions",
}


def used_codes() -> set[str]:
    sources = [path for path in PACKAGE.rglob("*.py") if "demo" not in path.parts]
    return {code for path in sources for code in CODE.findall(path.read_text(encoding="utf-8"))}


def test_every_declared_check_is_used_and_every_used_one_declared() -> None:
    assert used_codes() == set(catalogue())


def test_every_check_has_a_planted_fault_or_a_reason_why_not() -> None:
    planted = {fault.code for fault in FAULTS.values()}
    assert planted | set(WITHOUT_FAULT) == set(catalogue())
    assert not planted & set(WITHOUT_FAULT)


@pytest.mark.parametrize("check", catalogue().values(), ids=lambda check: check.code)
def test_a_check_explains_itself(check: Check) -> None:
    for text in (check.what, check.message, check.why, check.remedy, check.source):
        assert len(text) > 4
        assert not text.endswith(" ")
    for _, field, _, _ in string.Formatter().parse(check.message):
        assert field is None or field.isidentifier()
