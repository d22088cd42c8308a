"""A wheel carries the data: built, installed in a new environment, run from another folder."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True, cwd=folder
    )
    return folder


def data_files() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for folder in ("schemas", "checks", "reports")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }


def test_the_wheel_carries_every_data_file(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"pedicxr_release/{name}" for name in data_files()} <= names
    assert "pedicxr_release/py.typed" in names


def test_the_sdist_carries_every_data_file(built: Path) -> None:
    import tarfile

    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert data_files() <= names


def test_an_installed_wheel_validates_from_another_folder(built: Path, clean_demo: Demo, tmp_path: Path) -> None:
    """The new environment sees this one's libraries, and only the wheel of our own."""
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", str(wheel)], check=True
    )
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    site = next(environment.glob("lib/python*/site-packages"))
    linked = [
        path for path in Path(libraries).iterdir() if "pedicxr" not in path.name.lower() and not (site / path.name).exists()
    ]
    for path in linked:
        if path.suffix != ".pth":
            (site / path.name).symlink_to(path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = environment / "bin" / "pedicxr-release"
    result = subprocess.run(
        [command, "validate", str(clean_demo.root)], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "GATE OPEN" in result.stdout
    where = subprocess.run(
        [python, "-c", "from pedicxr_release.resources import data_folder; print(data_folder('schemas'))"],
        cwd=elsewhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(environment) in where.stdout
