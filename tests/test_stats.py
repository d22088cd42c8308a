"""Table 3 against an independent calculation: plain Python over the CSVs, pydicom for the headers."""

from __future__ import annotations

import csv
import json
from statistics import median
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pedicxr_release.age import age_in_years
from pedicxr_release.cli import main
from pedicxr_release.finding import Severity
from pedicxr_release.profile import profile_folder
from pedicxr_release.stats.table3 import Table3
from pedicxr_release.validation import GateOptions, validate
from pydicom import dcmread

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile

UNITS = {"Y": 365.25, "M": 365.25 / 12, "W": 7, "D": 1}


@pytest.fixture(scope="module")
def computed(clean_demo: Demo) -> Table3:
    result = CliRunner().invoke(main, ["stats", str(clean_demo.root), "--format", "json"])
    assert result.exit_code == 0, result.output
    return Table3.model_validate_json(result.stdout)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_collection_rows(clean_demo: Demo, computed: Table3, split: str) -> None:
    files = sorted((clean_demo.root / split).iterdir())
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    got = computed.collection[split]
    assert got.scans == len(files)
    assert got.bytes == sum(path.stat().st_size for path in files)
    assert got.rows == median(int(header.Rows) for header in headers)
    assert got.columns == median(int(header.Columns) for header in headers)
    ages = [int(h.PatientAge[:3]) * UNITS[h.PatientAge[3]] / 365.25 for h in headers if "PatientAge" in h]
    assert got.age_years == pytest.approx(median(ages))
    assert got.with_age == len(ages)
    sexes = [h.PatientSex for h in headers if "PatientSex" in h]
    assert got.with_sex == len(sexes)
    assert got.male_percent == pytest.approx(100 * sexes.count("M") / len(sexes))
    assert got.readers_per_scan == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_label_rows(clean_demo: Demo, computed: Table3, split: str) -> None:
    with (clean_demo.root / f"annotations_{split}.csv").open(newline="") as file:
        pairs = {(row["image_id"], row["class_name"]) for row in csv.DictReader(file)}
    with (clean_demo.root / f"image_labels_{split}.csv").open(newline="") as file:
        labels = list(csv.DictReader(file))
    for row in computed.labels:
        if row.kind == "local":
            expected = sum(name == row.name for _, name in pairs)
        else:
            expected = sum(label[row.name] == "1" for label in labels)
        assert row.cells[split].count == expected, row.name
        assert row.cells[split].percent == pytest.approx(100 * expected / len(labels))
    assert [row.number for row in computed.labels] == list(range(1, 52))


@pytest.mark.parametrize(
    ("text", "years"), [("003Y", 3), ("018M", 1.5), ("012D", 12 / 365.25), ("002W", 14 / 365.25), ("000D", 0)]
)
def test_ages(text: str, years: float) -> None:
    assert age_in_years(text) == pytest.approx(years)


@pytest.mark.parametrize("text", ["3Y", "0030", "003X", "", "NGUYEN", "٠٠٣Y"])
def test_what_is_no_age_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="not a DICOM age string") as caught:
        age_in_years(text)
    assert not text or text not in str(caught.value)


def test_differences_from_the_reference_are_information_unless_published(clean_demo: Demo, profile: Profile) -> None:
    for published, severity in ((False, Severity.info), (True, Severity.error)):
        report = validate(clean_demo.root, profile, GateOptions(published=published, workers=1))
        weights = {j.severity for j in report.judged if j.finding.code in ("STA101", "LAY110")}
        assert weights == {severity}


@pytest.mark.parametrize("form", ["text", "csv", "markdown"])
def test_every_format_has_every_label(clean_demo: Demo, profile: Profile, form: str) -> None:
    result = CliRunner().invoke(main, ["stats", str(clean_demo.root), "--format", form])
    assert result.exit_code == 0
    for label in profile.labels.local + profile.labels.global_:
        assert label.name[:24] in result.stdout


def test_the_reference_percentages_are_the_papers(profile: Profile) -> None:
    """The printed percentages stand in the reference file beside the counts."""
    with (profile_folder("pedicxr") / "table3.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for split in ("train", "test"):
                share = 100 * int(row[split]) / profile.release.splits[split].images
                assert f"{share:.2f}" == row[f"{split}_percent"], row["label"]


def test_json_is_what_it_says(computed: Table3) -> None:
    assert json.loads(computed.model_dump_json())["labels"][0]["name"] == "Boot-shaped heart"
