"""What a new version changes: each kind of change is named, and nothing else."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from pedicxr_release.cli import main
from pedicxr_release.diff.compare import Difference, compare
from pedicxr_release.diff.write import to_markdown, to_text
from pydicom import dcmread, dcmwrite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile

    Rows = list[list[str]]


def edit(path: Path, change: Callable[[Rows], None]) -> None:
    with path.open(newline="", encoding="utf-8") as source:
        rows = list(csv.reader(source))
    change(rows)
    with path.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target, lineterminator="\n").writerows(rows)


@pytest.fixture
def difference(clean_demo: Demo, demo: Demo, profile: Profile) -> Callable[[], Difference]:
    return lambda: compare(clean_demo.root, demo.root, profile, workers=1)


def boxes(rows: Rows) -> Rows:
    return [row for row in rows[1:] if row[3]]


def test_a_copy_is_no_difference(difference: Callable[[], Difference]) -> None:
    found = difference()
    assert found.empty
    assert not (found.boxes)
    assert not (found.labels)
    assert not (found.table3)
    assert to_text(found).startswith("no difference: 34 files")
    assert to_markdown(found) == "No difference.\n"


def test_files_removed_added_renamed_and_moved(demo: Demo, difference: Callable[[], Difference]) -> None:
    removed, moved = demo.image_path("train", 0), demo.image_path("train", 1)
    removed.unlink()
    moved.rename(demo.root / "test" / moved.name)
    (demo.root / "README.md").write_text("# Dataset\n")
    files = difference().files
    assert files.removed == [f"train/{removed.name}"]
    assert files.added == ["README.md"]
    assert [(one.old, one.new) for one in files.renamed] == [(f"train/{moved.name}", f"test/{moved.name}")]
    assert not files.changed
    assert files.same == 32


@pytest.mark.parametrize("what", ["header", "pixels"])
def test_an_image_says_what_changed_in_it(demo: Demo, difference: Callable[[], Difference], what: str) -> None:
    path = demo.image_path("train", 2)
    data_set = dcmread(path)
    if what == "header":
        data_set.PatientAge = "004Y"
    else:
        data_set.PixelData = data_set.PixelData[:-2] + b"\x07\x00"
    dcmwrite(path, data_set)
    assert [(one.path, one.what) for one in difference().files.changed] == [(f"train/{path.name}", what)]


def test_boxes_by_image_and_class(demo: Demo, difference: Callable[[], Difference]) -> None:
    changed: dict[str, str] = {}

    def change(rows: Rows) -> None:
        first, second = boxes(rows)[:2]
        changed["moved"], changed["removed"] = first[2], second[2]
        first[3] = str(float(first[3]) + 1)
        rows.remove(second)
        rows.append([first[0], first[1], "Edema", "10", "10", "40", "40", "28"])
        rows[1:] = reversed(rows[1:])

    edit(demo.table_path("train", "annotations"), change)
    found = difference()
    assert [(one.path, one.what) for one in found.files.changed] == [("annotations_train.csv", "table")]
    assert {(one.label, one.added, one.removed, one.moved) for one in found.boxes} == {
        (changed["moved"], 0, 0, 1), (changed["removed"], 0, 1, 0), ("Edema", 1, 0, 0),
    }  # fmt: skip
    assert any(cell.row == "28. Edema" and (cell.before[0], cell.after[0]) == ("0", "1") for cell in found.table3)
    assert not found.labels


def test_labels_by_image(demo: Demo, difference: Callable[[], Difference]) -> None:
    def change(rows: Rows) -> None:
        rows[3][5] = "1" if rows[3][5] == "0" else "0"
        rows[4][5] = ""

    path = demo.table_path("train", "image_labels")
    with path.open(newline="", encoding="utf-8") as file:
        before = list(csv.reader(file))
    edit(path, change)
    found = difference()
    flipped = 1 - int(before[3][5])
    assert {(one.image_id, one.label, one.before, one.after) for one in found.labels} == {
        (before[3][0], before[0][5], 1 - flipped, flipped), (before[4][0], before[0][5], int(before[4][5]), None),
    }  # fmt: skip
    assert "gained" in to_markdown(found)


def test_what_could_identify_is_not_repeated(demo: Demo, difference: Callable[[], Difference]) -> None:
    secret = "NGUYEN VAN AN"

    def change(rows: Rows) -> None:
        boxes(rows)[0][2] = secret
        boxes(rows)[1][0] = secret

    edit(demo.table_path("train", "annotations"), change)
    (demo.root / f"{secret}.txt").write_text(secret)
    found = difference()
    for text in (to_text(found), to_markdown(found), found.model_dump_json()):
        assert secret not in text
        assert "(withheld)" in text or "### Boxes" not in text


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments), "--workers", "1"])


def test_the_command_compares_packages_and_zips(clean_demo: Demo, demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert CliRunner().invoke(main, ["package", str(clean_demo.root), str(out), "--zip", "-q"]).exit_code == 0
    package, archive = out / "vindr-pcxr-1.0.0", next(out.glob("*.zip"))
    same = run(package, archive, "--exit-code")
    assert (same.exit_code, same.stdout[:13]) == (0, "no difference")
    demo.image_path("train", 0).unlink()
    notes = tmp_path / "notes.md"
    other = run(archive, demo.root, "--format", "json", "--format", f"markdown={notes}")
    assert other.exit_code == 0
    assert len(json.loads(other.stdout)["files"]["removed"]) == 4  # the image, README, licence, Croissant
    assert notes.read_text().startswith("## Changes")
    assert run(package, demo.root, "--exit-code").exit_code == 1


def test_what_cannot_be_read_is_said_so(clean_demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("no zip")
    for other in (tmp_path / "absent", tmp_path / "no.zip"):
        result = run(clean_demo.root, other)
        assert result.exit_code == 2
        assert str(other) in result.stderr
    shutil.rmtree(tmp_path, ignore_errors=True)
    assert run(clean_demo.root, clean_demo.root, "--format", "html").exit_code == 2
