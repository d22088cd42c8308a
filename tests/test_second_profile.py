"""Another dataset is another folder of data: several readers, a vote, a consensus without readers, tables in a folder."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release.cli import main
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.package.verify import verify_package
from pedicxr_release.package.write import write_package
from pedicxr_release.profile import Profile, ProfileError, load_profile
from pedicxr_release.validation import GateOptions, validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Rows = list[dict[str, str]]

OPTIONS = GateOptions(expectations=False, pixels=False, hash=False, workers=1)
CLEAN = {"DCM307", "DCM308", "LAY110", "STA103"}


@pytest.fixture(scope="module")
def vindr() -> Profile:
    return load_profile("vindr-cxr")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, vindr: Profile) -> Demo:
    return write_demo(tmp_path_factory.mktemp("vindr") / "candidate", vindr, 30, 1, downscale=6)


@pytest.fixture
def changed(clean: Demo, vindr: Profile, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Change the rows of a table; give the number of findings by code."""

    def run(split: str, table: str, change: Callable[[Rows], Rows | None]) -> dict[str, int]:
        root = tmp_path / "candidate"
        shutil.copytree(clean.root, root)
        path = Demo(root, vindr).table_path(split, table)
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        rows = change(rows) or rows
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        counts: dict[str, int] = {}
        for judged in validate(root, vindr, OPTIONS).judged:
            if judged.finding.code not in CLEAN:
                counts[judged.finding.code] = counts.get(judged.finding.code, 0) + 1
        return counts

    return run


def test_it_declares_what_the_paper_says(vindr: Profile) -> None:
    assert (len(vindr.labels.local), len(vindr.labels.global_)) == (22, 6)
    assert sum(split.images for split in vindr.release.splits.values()) == 18_000
    assert {name: split.readers_per_image for name, split in vindr.release.splits.items()} == {"train": 3, "test": 5}
    assert vindr.read_independently("train")
    assert not vindr.read_independently("test")


def test_a_clean_candidate_goes_all_the_way(clean: Demo, vindr: Profile, tmp_path: Path) -> None:
    made = write_package(clean.root, tmp_path / "out", vindr, GateOptions(expectations=False))
    assert {judged.finding.code for judged in made.report.judged} <= CLEAN
    assert made.folder is not None
    assert (made.folder / "annotations" / "annotations_test.csv").is_file()
    assert "rad_id" not in (made.folder / "annotations" / "annotations_test.csv").read_text().splitlines()[0]
    verified = verify_package(made.folder, vindr, GateOptions(expectations=False))
    assert verified.report.verdict == "pass"
    assert {name: part.readers_per_scan for name, part in made.report.table3.collection.items()} == {"train": 3, "test": 5}


def test_croissant_can_be_loaded(clean: Demo, vindr: Profile, tmp_path: Path) -> None:
    import mlcroissant

    made = write_package(clean.root, tmp_path / "out", vindr, GateOptions(expectations=False))
    assert made.folder is not None
    described = mlcroissant.Dataset(str(made.folder / "croissant.json"))
    record_set = next(r.uuid for r in described.metadata.record_sets if "annotations_train" in r.uuid)
    assert next(iter(described.records(record_set)))


def drop_a_reader(rows: Rows) -> Rows:
    return [row for row in rows if (row["image_id"], row["rad_id"]) != (rows[0]["image_id"], rows[0]["rad_id"])]


def deny_a_box(rows: Rows) -> None:
    """One reader says 0 to a label that he drew; the others stay as they are."""
    local = [label.name for label in load_profile("vindr-cxr").labels.local]
    row, name = next((row, name) for row in rows for name in local if row[name] == "1")
    row[name] = "0"


@pytest.mark.parametrize(
    ("split", "table", "change", "expected"),
    [
        pytest.param("train", "image_labels_train", lambda _: None, {}, id="clean"),
        pytest.param("train", "image_labels_train", drop_a_reader, {"LAB114": 1, "LAB112": 2}, id="too-few-readers"),
        pytest.param("train", "image_labels_train", lambda rows: [*rows, rows[0]], {"LAB103": 1}, id="a-reader-twice"),
        pytest.param("test", "image_labels_test", lambda rows: [*rows, rows[0]], {"LAB103": 1}, id="an-image-twice"),
        pytest.param("train", "image_labels_train", deny_a_box, {"LAB111": 1}, id="one-reader-contradicts-himself"),
        pytest.param("test", "image_labels_test", deny_a_box, {"LAB111": 1}, id="the-consensus-contradicts-itself"),
        pytest.param(
            "test",
            "annotations_test",
            lambda rows: [{"rad_id": "R1", **row} for row in rows],
            {"CSV109": 1},
            id="consensus-names-a-reader",
        ),
        pytest.param(
            "test",
            "image_labels_test",
            lambda rows: [{{"Other disease": "Other diseases"}.get(k, k): v for k, v in row.items()} for row in rows],
            {"CSV108": 1, "CSV109": 1},
            id="spelled-otherwise",
        ),
    ],
)
def test_readers_and_consensus(
    changed: Callable[..., dict[str, int]],
    split: str,
    table: str,
    change: Callable[[Rows], Rows | None],
    expected: dict[str, int],
) -> None:
    assert changed(split, table, change) == expected


def test_one_reader_may_see_nothing_where_another_sees_a_box(changed: Callable[..., dict[str, int]]) -> None:
    """What would be a placeholder beside boxes for one reader is a difference of opinion among three."""

    def differ(rows: Rows) -> None:
        row = next(row for row in rows if row["class_name"] == "No finding" and row["rad_id"] == "R1")
        others = [r for r in rows if r["image_id"] == row["image_id"] and r is not row]
        others[0].update(class_name="Edema", x_min="5", y_min="5", x_max="50", y_max="50")

    found = changed("train", "annotations_train", differ)
    assert "BOX114" not in found
    assert found == {"LAB110": 1, "LAB111": 1}


@pytest.mark.parametrize(("readers", "counted"), [(1, 0), (2, 1), (3, 1)])
def test_table_3_counts_what_a_majority_saw(clean: Demo, vindr: Profile, tmp_path: Path, readers: int, counted: int) -> None:
    root = tmp_path / "candidate"
    shutil.copytree(clean.root, root)
    path = Demo(root, vindr).table_path("train", "image_labels_train")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["Tuberculosis"] = "0"
    for row in rows[:readers]:
        row["Tuberculosis"] = "1"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = validate(root, vindr, OPTIONS).table3
    assert next(row for row in table.labels if row.name == "Tuberculosis").cells["train"].count == counted


def test_a_table_of_consensus_names_no_reader(tmp_path: Path) -> None:
    from pedicxr_release.profile import profile_folder

    shutil.copytree(profile_folder("vindr-cxr"), tmp_path / "p")
    file = tmp_path / "p" / "tables" / "annotations_train.yaml"
    file.write_text(file.read_text().replace("kind: boxes", "kind: boxes\nconsensus: true"))
    with pytest.raises(ProfileError, match="a table of consensus has no column with the role reader"):
        load_profile(str(tmp_path / "p"))


@pytest.mark.parametrize(
    "command",
    [["validate"], ["validate", "--format", "html"], ["stats"], ["stats", "--by", "reader"], ["stats", "--by", "age-group"]],
)
def test_every_command_knows_it(clean: Demo, command: list[str]) -> None:
    result = CliRunner().invoke(main, [command[0], str(clean.root), "--profile", "vindr-cxr", *command[1:]])
    assert result.exit_code == 0, result.output


def test_a_fault_of_another_profile_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["demo", str(tmp_path / "d"), "--profile", "vindr-cxr", "--images", "6", "--fault", "box-outside"]
    )
    assert result.exit_code == 2
    assert "which the profile vindr-cxr has not" in result.stderr
