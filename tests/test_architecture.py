"""The folders tell the architecture: data holds no code, imports point one way, nothing of the dataset is in the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pedicxr_release
import pytest
from pedicxr_release.profile import load_profile, profile_names

PACKAGE = Path(pedicxr_release.__file__).parent
LAYERS = [
    {"resources", "age", "workers", "source"},
    {"finding"},
    {"profile"},
    {"identity"},
    {"examine"},
    {"candidate"},
    {"cache"},
    {"cluster"},
    {"engine", "tables", "strays", "expectations", "exceptions"},
    {"evidence", "evidence_file"},
    {"stats"},
    {"judge"},
    {"validation"},
    {"report"},
    {"package", "demo"},
    {"diff"},
    {"cli"},
]
"""From the bottom to the top: a module imports from its own layer and from those before it."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    here = part_of(path)
    if here == "__init__":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pedicxr_release."):
            there = node.module.split(".")[1]
            assert layer(there) <= layer(here), f"{here} imports {there}"


def test_the_data_folders_hold_no_python() -> None:
    root = PACKAGE.parent
    for folder in ("schemas", "checks", "reports"):
        assert not list((root / folder).rglob("*.py"))


def test_no_name_of_the_dataset_is_in_the_code() -> None:
    words = {"vindr", "rad_id", "rad_ID", "9125", "18000", "PediCXR", "VinDr"}
    for profile in map(load_profile, profile_names()):
        labels = [label.name for label in profile.labels.local + profile.labels.global_]
        words |= {*labels, *profile.table_files(), profile.release.slug, profile.release.title}
        words |= {str(split.images) for split in profile.release.splits.values()}
    for path in modules():
        if path.name.endswith("faults.py"):  # they are planted into the tables of one profile
            continue
        text = path.read_text(encoding="utf-8")
        assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", text)], path.name


def test_modules_say_what_they_are_for() -> None:
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        assert path.stem not in ("utils", "helpers", "common", "core", "misc")
