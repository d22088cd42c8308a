"""The twin: as many images as the paper's dataset, whose Table 3 equals the paper's.

Here with small image files, so that it is quick; `make twin` makes the one of full size.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release.cli import main
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.stats.table3 import Table3, summarise

if TYPE_CHECKING:
    from pedicxr_release.profile import Profile

DOWNSCALE = 1 if os.environ.get("TWIN") else 12
EXCEPTED = {"gigabytes"} | (set() if DOWNSCALE == 1 else {"rows", "columns"})
"""Data size, since the twin's pixels are small or compressed; and image size, where they are small."""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Demo:
    root = Path(os.environ["TWIN"]) if os.environ.get("TWIN") else tmp_path_factory.mktemp("twin")
    count = sum(split.images for split in profile.release.splits.values())
    return write_demo(root / "candidate", profile, count, 1, downscale=DOWNSCALE, tiled=DOWNSCALE == 1)


@pytest.fixture(scope="module")
def table(twin: Demo) -> Table3:
    result = CliRunner().invoke(main, ["stats", str(twin.root), "--format", "json"])
    return Table3.model_validate_json(result.stdout)


def test_every_cell_of_table_3_equals_the_papers(table: Table3) -> None:
    counted = summarise(table)
    assert (counted.labels_equal, counted.labels) == (102, 102)
    unequal = {c.name for collection in table.collection.values() for c in collection.compared() if not c.equal}
    assert unequal <= EXCEPTED
    for row in table.labels:
        for cell in row.cells.values():
            assert f"{cell.percent:.2f}" == f"{cell.reference_percent:.2f}"


def test_the_twin_passes_as_published_but_for_its_size(twin: Demo, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["validate", str(twin.root), "--published", "--format", "json"])
    report = json.loads(result.stdout)
    errors = [f for f in report["findings"] if f["severity"] == "error"]
    assert {f["code"] for f in errors} <= {"STA101"}
    assert all(f["message"].startswith(tuple(name.replace("_", " ") for name in EXCEPTED)) for f in errors)
    assert report["dataset"]["images"] == 9125


def test_the_twin_is_packaged(twin: Demo, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["package", str(twin.root), str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "9,133 files" in result.output


def test_the_printed_table_sums_up_and_fits_a_hundred_columns(twin: Demo) -> None:
    result = CliRunner().invoke(main, ["stats", str(twin.root)])
    assert "102 of 102 label cells equal" in result.stdout
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= 100
    assert result.stdout.count("†") == 14  # thirteen rows of another source, and the footnote
