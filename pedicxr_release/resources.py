"""Where the data folders ``schemas``, ``checks`` and ``reports`` are: inside a wheel, beside the package in a checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

DataFolder = Literal["schemas", "checks", "reports"]


def data_folder(name: DataFolder) -> Path:
    """Return the folder that holds one kind of data.

    Raises
    ------
    FileNotFoundError
        When the installation does not carry the folder.
    """
    package = Path(str(resources.files("pedicxr_release")))
    for candidate in (package / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"this installation of pedicxr-release carries no {name}/ folder; install it again")
