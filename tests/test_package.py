"""The package: exactly the validated bytes, PhysioNet's sums, or nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pedicxr_release.package.checksums import parse_sums, sums_text
from pedicxr_release.package.write import PackageError, write_package

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile

NAME = st.text("abzAZ019_+-. ", min_size=1, max_size=6).filter(lambda name: name not in (".", "..") and name.strip() == name)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_package_is_the_validated_bytes(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    made = write_package(clean_demo.root, tmp_path / "out", profile)
    assert made.folder == tmp_path / "out" / "vindr-pcxr-1.0.0"
    source, packaged = files_of(clean_demo.root), files_of(made.folder)
    assert {name: packaged[name] for name in source} == source
    assert set(packaged) - set(source) == {"README.md", "LICENSE.txt", "SHA256SUMS.txt", "croissant.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"vindr-pcxr-1.0.0", "vindr-pcxr-1.0.0.evidence"}
    assert {oct(path.stat().st_mode & 0o777) for path in made.folder.rglob("*") if path.is_file()} == {"0o644"}
    assert made.files == len(packaged)
    assert made.bytes == sum(map(len, packaged.values()))
    assert made.digest == hashlib.sha256(packaged["SHA256SUMS.txt"]).hexdigest()


def test_sha256sum_agrees(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    folder = write_package(clean_demo.root, tmp_path, profile).folder
    assert folder is not None
    subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS.txt"], cwd=folder, check=True)
    listed = set(parse_sums((folder / "SHA256SUMS.txt").read_text()))
    assert listed == set(files_of(folder)) - {"SHA256SUMS.txt"}
    command = "find . -type f ! -name SHA256SUMS.txt | cut -c3- | LC_COLLATE=C sort"
    found = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert [line.partition(" ")[2] for line in (folder / "SHA256SUMS.txt").read_text().splitlines()] == found


@given(st.dictionaries(st.lists(NAME, min_size=1, max_size=3).map("/".join), st.just(bytes(32)), max_size=12))
def test_the_order_is_that_of_physionet(digests: dict[str, bytes]) -> None:
    """Each folder's entries in byte order, a folder's name with a slash behind it (physionet-build)."""
    paths = [path for path in digests if not any(other.startswith(path + "/") for other in digests)]

    def walk(prefix: str) -> list[str]:
        below = {path[len(prefix) :] for path in paths if path.startswith(prefix)}
        names = {name.partition("/")[0] + name.partition("/")[1] for name in below}
        return [
            path
            for name in sorted(names, key=str.encode)
            for path in (walk(prefix + name) if name.endswith("/") else [prefix + name])
        ]

    lines = sums_text({path: digests[path] for path in paths}).splitlines()
    assert [line.partition(" ")[2] for line in lines] == [path for path in walk("") if path != "SHA256SUMS.txt"]


def test_the_worked_example_of_the_order() -> None:
    text = sums_text(dict.fromkeys(["ab", "a/2", "a/10", "a+", "B"], bytes(32)))
    assert [line[65:] for line in text.splitlines()] == ["B", "a+", "a/10", "a/2", "ab"]


@pytest.mark.parametrize("line", ["", "x y", "0" * 64, "0" * 64 + " ", "0" * 63 + " a"])
def test_a_malformed_sums_file_names_its_line(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse_sums("0" * 64 + " a\n" + line + "\n" + "0" * 64 + " b\n")


def test_two_packages_are_the_same_bytes(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    first = write_package(clean_demo.root, tmp_path / "a", profile).folder
    second = write_package(clean_demo.root, tmp_path / "b", profile).folder
    assert first is not None
    assert second is not None
    assert files_of(first) == files_of(second)


def test_a_candidates_own_readme_and_licence_win(demo: Demo, profile: Profile, tmp_path: Path) -> None:
    (demo.root / "README.md").write_text("# Ours\n")
    (demo.root / "LICENSE.txt").write_text("Ours\n")
    (demo.root / "SHA256SUMS.txt").write_text("stale\n")
    folder = write_package(demo.root, tmp_path / "out", profile).folder
    assert folder is not None
    packaged = files_of(folder)
    assert (packaged["README.md"], packaged["LICENSE.txt"]) == (b"# Ours\n", b"Ours\n")
    assert b"stale" not in packaged["SHA256SUMS.txt"]


def test_a_table_that_changes_under_us_stops_the_release(
    demo: Demo, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pedicxr_release.package import write

    validate = write.validate

    def then_change(*arguments: object, **options: object) -> object:
        report = validate(*arguments, **options)  # type: ignore[arg-type]
        path = demo.table_path("train", "annotations")
        path.write_bytes(path.read_bytes() + b"\n")
        return report

    monkeypatch.setattr(write, "validate", then_change)
    with pytest.raises(PackageError, match="was changed"):
        write_package(demo.root, tmp_path / "out", profile)
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_cleared(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    left = tmp_path / ".vindr-pcxr-1.0.0.partial" / "train"
    left.mkdir(parents=True)
    (left / "rest").write_bytes(b"x")
    folder = write_package(clean_demo.root, tmp_path, profile).folder
    assert folder is not None
    assert not (folder / "train" / "rest").exists()
    assert sorted(os.listdir(tmp_path)) == [folder.name, f"{folder.name}.evidence"]  # noqa: PTH208
