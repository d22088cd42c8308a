"""The pattern behind many bad rows is named, and three bad rows are three bad rows."""

from __future__ import annotations

import copy
import csv
import shutil
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.demo.faults import FAULTS, plant
from pedicxr_release.demo.table_faults import PATTERN_FAULTS
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.finding import catalogue
from pedicxr_release.validation import GateOptions, validate

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Profile

PATTERNS = {code for code in catalogue() if code.startswith("BOX2")}
OPTIONS = GateOptions(pixels=False, hash=False, workers=1)


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Demo:
    return write_demo(tmp_path_factory.mktemp("patterns") / "c", profile, 200, 5, downscale=8)


@pytest.fixture
def candidate(two_hundred: Demo, tmp_path: Path) -> Demo:
    shutil.copytree(two_hundred.root, tmp_path / "c")
    return Demo(tmp_path / "c", two_hundred.profile, copy.deepcopy(two_hundred.images))


def patterns(demo: Demo) -> list[tuple[str, str, str]]:
    judged = validate(demo.root, demo.profile, OPTIONS).judged
    return [(j.finding.code, j.finding.path, j.finding.message) for j in judged if j.finding.code in PATTERNS]


@pytest.mark.parametrize("name", [name for name, *_ in PATTERN_FAULTS])
def test_a_pattern_is_named_once_and_first(candidate: Demo, name: str) -> None:
    path = plant(name, candidate)
    report = validate(candidate.root, candidate.profile, OPTIONS)
    found = patterns(candidate)
    assert [(code, where) for code, where, _ in found] == [(FAULTS[name].code, path)]
    of_table = [j.finding.code for j in report.judged if j.finding.path == path]
    assert of_table[0] == FAULTS[name].code


@pytest.mark.parametrize(
    ("name", "says"),
    [("scaled-up", "larger"), ("scaled-down", "smaller"), ("zero-based", "-1 throughout"), ("two-based", "+1 throughout")],
)
def test_what_a_pattern_says(candidate: Demo, name: str, says: str) -> None:
    plant(name, candidate)
    assert says in patterns(candidate)[0][2]


@pytest.mark.parametrize(("factor", "said"), [(2, "about 2"), (3, "about 3"), (4, "about 4"), (10, "about 10")])
def test_the_factor_is_named(candidate: Demo, factor: float, said: str) -> None:
    _first_boxes(candidate, None, lambda cells: [factor * cell for cell in cells])
    assert said in patterns(candidate)[0][2]


def test_a_clean_candidate_has_no_pattern(two_hundred: Demo) -> None:
    assert patterns(two_hundred) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: [c[1], c[0], c[3], c[2]], id="exchanged"),
        pytest.param(lambda c: [9 * value for value in c], id="scaled"),
        pytest.param(lambda c: [c[2], c[1], c[0], c[3]], id="inverted"),
        pytest.param(lambda c: [c[0], c[1], c[2] - c[0], c[3] - c[1]], id="width-height"),
    ],
)
def test_three_bad_rows_are_no_pattern(candidate: Demo, change: object) -> None:
    _first_boxes(candidate, 3, change)
    assert patterns(candidate) == []


def _first_boxes(demo: Demo, count: int | None, change: object) -> None:
    path = demo.table_path("train", "annotations")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    boxes = [row for row in rows[1:] if row[3]][:count]
    for row in boxes:
        row[3:7] = [str(value) for value in change([float(cell) for cell in row[3:7]])]  # type: ignore[operator]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def test_profile_of_two_hundred_has_enough_boxes(two_hundred: Demo, profile: Profile) -> None:
    assert sum(len(image.local) for image in two_hundred.images["train"]) > 50
    assert profile.labels.class_ids.first == 1
