"""A profile says what a release looks like; a wrong one says file, line, key and reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.profile import ProfileError, load_profile, profile_folder

if TYPE_CHECKING:
    from pedicxr_release.profile import Profile

TABLE_2 = [
    "00100040",
    "00101010",
    "00101020",
    "00101030",
    "00280010",
    "00280011",
    "00280030",
    "00280034",
    "00280100",
    "00280101",
    "00280102",
    "00280103",
    "00280106",
    "00280107",
    "00281050",
    "00281051",
    "00281052",
    "00281053",
    "7FE00010",
    "00280004",
    "00282110",
    "00282114",
    "00282112",
    "00280002",
    "00280008",
]


def test_the_retained_attributes_are_table_2(profile: Profile) -> None:
    assert {attribute.tag for attribute in profile.dicom.attributes} == {int(tag, 16) for tag in TABLE_2}


def test_the_labels_are_numbered_as_in_table_3(profile: Profile) -> None:
    assert [label.number for label in profile.labels.local] == list(range(1, 37))
    assert [label.number for label in profile.labels.global_] == list(range(37, 52))
    assert [row.number for row in profile.reference] == list(range(1, 52))


def test_the_digest_changes_with_any_byte(tmp_path: Path, profile: Profile) -> None:
    shutil.copytree(profile_folder("pedicxr"), tmp_path / "own")
    assert load_profile(str(tmp_path / "own")).digest == profile.digest
    with (tmp_path / "own" / "labels.yaml").open("a") as file:
        file.write("\n")
    assert load_profile(str(tmp_path / "own")).digest != profile.digest


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        pytest.param("release.yaml", "slug: vindr-pcxr", "slug: VinDr", "line 3: slug", id="slug"),
        pytest.param("release.yaml", "version: 1.0.0", "version: 0.0.0", "all zeros", id="version"),
        pytest.param("release.yaml", "version: 1.0.0", "version: 1.00.0", "line 4: version", id="version-leading-zero"),
        pytest.param("release.yaml", "name: pedicxr", "nmae: pedicxr", "nmae", id="unknown-key"),
        pytest.param("release.yaml", "images: 7728", "images: many", "splits.train.images", id="count"),
        pytest.param(
            "release.yaml",
            "annotations: annotations_train.csv",
            "boxes: b.csv",
            "there is no tables/boxes.yaml",
            id="no-table",
        ),
        pytest.param("release.yaml", "reference: table3.csv", "reference: t.csv", "there is no t.csv", id="no-reference"),
        pytest.param("release.yaml", "enforce_reference: false", "severity: {XYZ999: info}", "XYZ999", id="severity"),
        pytest.param("release.yaml", "slug:", "slug", "not YAML", id="yaml"),
        pytest.param("dicom.yaml", "(0010,0040)", "(0010,004)", "write a tag as (gggg,eeee)", id="tag"),
        pytest.param("dicom.yaml", "keyword: PatientSex", "keyword: Sex", "has the keyword PatientSex", id="keyword"),
        pytest.param("dicom.yaml", "keyword: PatientAge, vr: AS", "keyword: PatientAge, vr: CS", "has the VR AS", id="vr"),
        pytest.param("dicom.yaml", "(0010,1010)", "(0010,0040)", "", id="element-twice"),
        pytest.param("labels.yaml", "number: 2,", "number: 1,", "number given twice: 1", id="number-twice"),
        pytest.param("labels.yaml", "no_finding: No finding", "no_finding: Nothing", "names no global label", id="no-finding"),
        pytest.param("tables/annotations.yaml", "role: x_min", "role: other", "x_min", id="role"),
        pytest.param("table3.csv", "1,Boot-shaped heart", "1,Boot", "line 2", id="reference-name"),
        pytest.param("table3.csv", "local,35,6", "local,x,6", "line 2", id="reference-number"),
    ],
)
def test_a_wrong_profile_is_a_clear_error(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    own = tmp_path / "own"
    shutil.copytree(profile_folder("pedicxr"), own)
    text = (own / file).read_text(encoding="utf-8")
    assert old in text
    (own / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load_profile(str(own))
    assert Path(file).name in str(caught.value)
    assert says in str(caught.value)


def test_no_such_profile() -> None:
    with pytest.raises(ProfileError, match="neither a built-in profile"):
        load_profile("nowhere")
