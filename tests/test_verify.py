"""Each kind of tampering with a package is found and named, in a folder and in a zip; downloads are what was packaged."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pydicom
import pytest
from click.testing import CliRunner, Result
from pedicxr_release.cli import main
from pedicxr_release.exceptions import RecordedException
from pedicxr_release.package.archive import archive_name
from pedicxr_release.package.write import PackageError, write_package
from pedicxr_release.profile import profile_folder
from pedicxr_release.validation import GateOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile

NAME = "vindr-pcxr-1.0.0"


@pytest.fixture(scope="module")
def made(clean_demo: Demo, profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    write_package(clean_demo.root, out, profile, GateOptions(workers=1), archive=True)
    return out


@pytest.fixture
def package(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / NAME, tmp_path / NAME))


def verify(package: Path, *arguments: str) -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(main, ["verify", str(package), "--format", "json", "--workers", "1", *arguments])
    return result, json.loads(result.stdout) if result.stdout else {}


def images(package: Path) -> list[Path]:
    return sorted((package / "train").iterdir())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def exchange(first: Path, second: Path) -> None:
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def edit_sums(package: Path, change: Callable[[str], str]) -> None:
    path = package / "SHA256SUMS.txt"
    path.write_text(change(path.read_text()))


TAMPERINGS = [
    pytest.param(lambda p: flip(images(p)[3]), "PKG107", 3, id="bit-flipped-in-an-image"),
    pytest.param(lambda p: flip(p / "README.md"), "PKG107", "README.md", id="bit-flipped-in-a-text"),
    pytest.param(lambda p: flip(p / "croissant.json"), "PKG107", "croissant.json", id="bit-flipped-in-metadata"),
    pytest.param(lambda p: (p / "annotations_train.csv").write_text((p / "annotations_train.csv").read_text().replace("R1", "R2")), "PKG107", "annotations_train.csv", id="table-edited"),
    pytest.param(lambda p: images(p)[3].unlink(), "PKG102", 3, id="image-removed"),
    pytest.param(lambda p: (p / "train" / ("f" * 32 + ".dicom")).write_bytes(b"x"), "PKG103", "train/" + "f" * 32 + ".dicom", id="image-added"),
    pytest.param(lambda p: images(p)[3].rename(p / "train" / ("e" * 32 + ".dicom")), "PKG104", "train/" + "e" * 32 + ".dicom", id="image-renamed"),
    pytest.param(lambda p: exchange(*images(p)[3:5]), "PKG105", 3, id="images-exchanged"),
    pytest.param(lambda p: (p / "SHA256SUMS.txt").unlink(), "PKG101", "SHA256SUMS.txt", id="sums-removed"),
    pytest.param(lambda p: edit_sums(p, lambda t: t.replace(" ", "  ")), "PKG106", "SHA256SUMS.txt", id="sums-in-another-format"),
    pytest.param(lambda p: edit_sums(p, lambda t: "".join(sorted(t.splitlines(keepends=True)))), "PKG106", "SHA256SUMS.txt", id="sums-reordered"),
    pytest.param(lambda p: edit_sums(p, lambda t: t + "x\n"), "PKG106", "SHA256SUMS.txt", id="sums-malformed"),
    pytest.param(lambda p: edit_sums(p, lambda t: "0" * 64 + t[64:]), "PKG107", "LICENSE.txt", id="digest-edited"),
]  # fmt: skip


@pytest.mark.parametrize(("tamper", "code", "where"), TAMPERINGS)
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_tampering_is_found_and_named(
    package: Path, tmp_path: Path, tamper: Callable[[Path], None], code: str, where: int | str, zipped: bool
) -> None:
    expected = f"train/{images(package)[where].name}" if isinstance(where, int) else where
    tamper(package)
    target = Path(shutil.make_archive(str(tmp_path / "p"), "zip", tmp_path, NAME)) if zipped else package
    result, report = verify(target)
    assert result.exit_code == 1, result.output
    assert (code, expected) in {(finding["code"], finding["path"]) for finding in report["findings"]}
    packaged = {finding["code"] for finding in report["findings"] if finding["code"].startswith("PKG")}
    assert packaged == {code}


def test_an_untouched_package_passes_as_folder_and_as_zip(made: Path, profile: Profile) -> None:
    for target in (made / NAME, made / f"{archive_name(profile.release)}.zip"):
        result, report = verify(target, "--rehearse")
        assert result.exit_code == 0, result.output
        assert not [f for f in report["findings"] if f["code"].startswith("PKG")]


def test_the_gate_looks_at_the_packaged_bytes_again(package: Path) -> None:
    """Bytes that nobody may publish, with sums to match, pass no sums check alone."""
    path = images(package)[0]
    path.write_bytes(path.read_bytes() + b"NGUYEN^VAN^AN ")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    relative = path.relative_to(package).as_posix()
    edit_sums(
        package,
        lambda text: "".join(
            f"{digest} {relative}\n" if line.endswith(relative) else line + "\n" for line in text.splitlines()
        ),
    )
    result, report = verify(package)
    assert result.exit_code == 1, result.output
    codes = {finding["code"] for finding in report["findings"] if finding["severity"] == "error"}
    assert codes == {"DCM111", "PHI108"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip"])
def test_what_is_no_package_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.zip").write_bytes(content)
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "p.zip")])
    assert result.exit_code == 2
    assert "not a zip" in result.stderr
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "none")]).exit_code == 2


def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("../evil", "x")
    assert CliRunner().invoke(main, ["verify", str(tmp_path / "p.zip")]).exit_code == 2
    assert not (tmp_path.parent / "evil").exists()


# -- independent witnesses --------------------------------------------------------------------------------------------------


def test_unzip_agrees_and_the_zip_is_the_folder(made: Path, profile: Profile, tmp_path: Path) -> None:
    path = made / f"{archive_name(profile.release)}.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name.partition("/")[0] for name in archive.namelist()} == {path.stem}
        assert archive.namelist() == sorted(archive.namelist(), key=str.encode)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
        inside = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    folder = {p.relative_to(made / NAME).as_posix(): p.read_bytes() for p in (made / NAME).rglob("*") if p.is_file()}
    assert inside == folder
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tq", path], check=True, capture_output=True)


def test_packages_are_the_same_bytes_names_times_and_modes(
    clean_demo: Demo, profile: Profile, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(clean_demo.root, tmp_path, profile, GateOptions(workers=2), archive=True)

    def state(out: Path) -> dict[str, object]:
        return {
            p.relative_to(out).as_posix(): (p.stat().st_mode, p.stat().st_mtime, p.read_bytes() if p.is_file() else b"")
            for p in out.rglob("*")
            if ".evidence" not in str(p)
        }

    assert state(tmp_path) == state(made)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    other = write_package(clean_demo.root, tmp_path / "other", profile, GateOptions(workers=1)).folder
    assert other is not None
    assert {p.stat().st_mtime for p in other.rglob("*")} == {1700000000.0}


def test_the_evidence_ties_the_package_to_the_verdict(made: Path) -> None:
    kept = made / f"{NAME}.evidence"
    tied = json.loads((kept / "release.json").read_text())
    assert tied["verdict"] == "pass"
    assert tied["sha256_of_sums"] == hashlib.sha256((made / NAME / "SHA256SUMS.txt").read_bytes()).hexdigest()
    report = json.loads((kept / "report.json").read_text())
    files = {file["path"]: file["sha256"] for file in report["evidence"]["files"]}
    assert files == {p: hashlib.sha256((made / NAME / p).read_bytes()).hexdigest() for p in files}
    assert {"table3.csv", "table3.md", "table3.html", "report.txt", "exceptions.json", "profile", "figures"} <= {
        p.name for p in kept.iterdir()
    }


# -- modes, changes, locks ---------------------------------------------------------------------------------------------------


def test_hardlinks_share_the_source_and_leave_it_as_it_is(demo: Demo, profile: Profile, tmp_path: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes()) for p in demo.root.rglob("*") if p.is_file()}
    made = write_package(demo.root, tmp_path / "out", profile, GateOptions(workers=1, mode="hardlink"))
    assert made.folder is not None
    for split in profile.release.splits:
        for path in (demo.root / split).iterdir():
            assert path.samefile(made.folder / split / path.name)
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes()) for p in before}
    assert verify(made.folder)[0].exit_code == 0


def test_reflink_makes_the_package_or_says_why_not(demo: Demo, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["package", str(demo.root), str(tmp_path / "out"), "--mode", "reflink"])
    if result.exit_code == 0:
        assert verify(tmp_path / "out" / NAME)[0].exit_code == 0
    else:
        assert result.exit_code == 3
        assert "reflink" in result.stderr
        assert not (tmp_path / "out").exists()


def killed(demo: Demo, profile: Profile, out: Path, options: GateOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what a run leaves that is killed when every image is staged."""
    from pedicxr_release.package import write

    monkeypatch.setattr(write, "_finish", lambda *_: (_ for _ in ()).throw(SystemExit(9)))
    monkeypatch.setattr(write.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        write_package(demo.root, out, profile, options)
    monkeypatch.undo()


def test_going_on_in_another_mode_leaves_the_sources_as_they_are(
    demo: Demo, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: (p.stat().st_mtime_ns, p.stat().st_mode) for p in demo.root.rglob("*") if p.is_file()}
    killed(demo, profile, tmp_path / "out", GateOptions(workers=1, mode="hardlink"), monkeypatch)
    made = write_package(demo.root, tmp_path / "out", profile, GateOptions(workers=1, mode="copy"))
    assert made.folder is not None
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_mode) for p in before}
    assert not [p for p in before if (made.folder / p.relative_to(demo.root)).samefile(p)]


def test_an_exception_does_not_get_a_file_into_the_package_that_is_no_image(
    demo: Demo, profile: Profile, tmp_path: Path
) -> None:
    path = demo.image_path("train", 0)
    path.with_name("image.dcm").write_bytes(path.read_bytes())
    own = profile.model_copy(update={"release": profile.release.model_copy(update={"never_except": ("LAY103",)})})
    today = dt.date(2026, 1, 31)
    excepted = [
        RecordedException(check=code, everywhere=True, reason="a test", who="A. B.", date=today)
        for code in ("LAY107", "PHI103", "SPL103")
    ]
    with pytest.raises(PackageError, match="cannot be packaged"):
        write_package(demo.root, tmp_path / "out", own, GateOptions(workers=1), exceptions=excepted)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["changed", "vanished", "replaced"])
def test_an_image_that_changes_under_us_stops_the_release(
    demo: Demo, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from pedicxr_release.package import write

    real = write.validate

    def then_change(*arguments: Any, **options: Any) -> Any:
        report = real(*arguments, **options)
        path = demo.image_path("train", 4)
        content = path.read_bytes()
        if what != "changed":
            path.unlink()
        if what != "vanished":
            path.write_bytes(content)
        return report

    monkeypatch.setattr(write, "validate", then_change)
    with pytest.raises(PackageError, match="run again"):
        write_package(demo.root, tmp_path / "out", profile, GateOptions(workers=1))
    assert not (tmp_path / "out").exists()


def test_a_second_run_waits_its_turn(demo: Demo, tmp_path: Path) -> None:
    from pedicxr_release.package.lock import locked

    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out" / f".{NAME}.lock"):
        result = CliRunner().invoke(main, ["package", str(demo.root), str(tmp_path / "out")])
        assert result.exit_code == 2
        assert "another run" in result.stderr
    assert CliRunner().invoke(main, ["package", str(demo.root), str(tmp_path / "out")]).exit_code == 0


def test_what_is_already_right_is_not_copied_again(
    demo: Demo, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    staged = out / f".{NAME}.partial" / NAME / "train"
    killed(demo, profile, out, GateOptions(workers=1), monkeypatch)
    victim, *rest = sorted(staged.iterdir())
    victim.write_bytes(bytes(victim.stat().st_size))
    inodes = {path.name: path.stat().st_ino for path in rest}
    made = write_package(demo.root, out, profile, GateOptions(workers=1))
    assert made.folder is not None
    assert {name: (made.folder / "train" / name).stat().st_ino for name in inodes} == inodes
    assert (made.folder / "train" / victim.name).read_bytes() == (demo.root / "train" / victim.name).read_bytes()


# -- what others read --------------------------------------------------------------------------------------------------------


def test_records_must_be_records(package: Path, tmp_path: Path) -> None:
    (package / "RECORDS").write_text("train/nothing\n../elsewhere\n")
    _, report = verify(package)
    assert [(f["location"]["row"]) for f in report["findings"] if f["code"] == "PKG108"] == [1, 2]
    (package / "RECORDS").write_text("wave\n")
    (package / "wave.hea").write_text("wave 0 360 0\n")
    assert not [f for f in verify(package)[1]["findings"] if f["code"] == "PKG108"]


def test_a_download_that_differs_is_found(made: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    from pedicxr_release.package import rehearse

    assert rehearse.rehearse(made / NAME, profile.release) == []
    fetch = rehearse._fetch

    def cut(address: str, target: Path) -> None:
        fetch(address, target)
        if target.name == "README.md":
            target.write_bytes(target.read_bytes()[:-1])
        if target.name == "LICENSE.txt":
            target.unlink()

    monkeypatch.setattr(rehearse, "_fetch", cut)
    found = {(f.path, f.facts["client"], f.facts["how"]) for f in rehearse.rehearse(made / NAME, profile.release)}
    assert found == {("README.md", "wget", "another"), ("LICENSE.txt", "wget", "missing")}


def test_published_loaders_can_read_the_package(made: Path) -> None:
    """As public code does it: tables by pandas, images by pydicom, boxes normalised by rows and columns."""
    folder = made / NAME
    boxes = pd.read_csv(folder / "annotations_train.csv")
    labels = pd.read_csv(folder / "image_labels_train.csv").set_index("image_id")
    drawn = boxes[boxes["class_name"] != "No finding"]
    assert len(drawn)
    for row in drawn.itertuples():
        data_set = pydicom.dcmread(folder / "train" / f"{row.image_id}.dicom")
        assert data_set.pixel_array.shape == (data_set.Rows, data_set.Columns)
        assert 0 <= row.x_min / data_set.Columns < row.x_max / data_set.Columns <= 1
        assert 0 <= row.y_min / data_set.Rows < row.y_max / data_set.Rows <= 1
        assert labels.loc[row.image_id, "No finding"] == 0


@pytest.mark.filterwarnings("ignore")
def test_croissant_is_valid_and_yields_the_annotation_rows(made: Path) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(made / NAME / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    with (made / NAME / "annotations_train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = list(dataset.records("annotations_train"))
    assert len(records) == len(rows)
    for record, row in zip(records, rows, strict=True):
        text = {key.rpartition("/")[2]: value for key, value in record.items()}
        assert text["image_id"] == row["image_id"].encode()
        assert text["class_name"].decode() == row["class_name"]
        if row["x_min"]:
            assert text["x_min"] == pytest.approx(float(row["x_min"]))
    assert {record["splits/name"] for record in dataset.records("splits")} in ({b"train", b"test"}, {"train", "test"})


def test_subject_info_when_the_profile_asks(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    release = profile.release.model_copy(update={"subject_info": True})
    own = copy.copy(profile).model_copy(update={"release": release})
    folder = write_package(clean_demo.root, tmp_path, own, GateOptions(workers=1)).folder
    assert folder is not None
    with (folder / "subject-info.csv").open(newline="") as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 30
    for image in clean_demo.images["train"]:
        assert (rows[image.image_id]["age"], rows[image.image_id]["gender"]) == (image.age or "", image.sex or "")
    with_subjects = tmp_path / "own"
    shutil.copytree(profile_folder("pedicxr"), with_subjects)
    text = (with_subjects / "release.yaml").read_text()
    (with_subjects / "release.yaml").write_text(text.replace("subject_info: false", "subject_info: true"))
    assert verify(folder, "--profile", str(with_subjects))[0].exit_code == 0
    refused = verify(folder)[1]["findings"]
    assert ("LAY101", "subject-info.csv") in {(f["code"], f["path"]) for f in refused}  # nobody asked for it


def test_environment_of_tests_has_no_epoch() -> None:
    assert "SOURCE_DATE_EPOCH" not in os.environ
    assert sys.version_info >= (3, 11)


def test_sums_that_list_nothing_leave_every_file_unlisted(package: Path) -> None:
    edit_sums(package, lambda _: "")
    codes = [finding["code"] for finding in verify(package)[1]["findings"] if finding["code"].startswith("PKG")]
    assert codes == ["PKG103"] * (30 + 4 + 3)
