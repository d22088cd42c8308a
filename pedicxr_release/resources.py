"""What an installation consists of: data folders, inside a wheel or beside the package in a checkout, and libraries."""

from __future__ import annotations

from importlib import metadata, resources
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


READERS = ("numpy", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "great-expectations")
"""Libraries on whose versions evidence may depend."""


def reader_versions() -> dict[str, str]:
    """Return the versions of this program and of the libraries that it reads with."""
    return {name: metadata.version(name) for name in ("pedicxr-release", *READERS)}
