from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.profile import Profile, load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the cache of the person who runs the tests out of them."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def profile() -> Profile:
    return load_profile("pedicxr")


@pytest.fixture(scope="session")
def clean_demo(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Demo:
    """A clean candidate of thirty small images. Not to be changed: ask for `demo`."""
    return write_demo(tmp_path_factory.mktemp("clean") / "candidate", profile, 30, 1, downscale=6)


@pytest.fixture
def demo(clean_demo: Demo, tmp_path: Path, copy_demo: Callable[[Path], Demo]) -> Demo:
    """A copy of the clean candidate to be changed."""
    return copy_demo(tmp_path / "candidate")


@pytest.fixture
def copy_demo(clean_demo: Demo) -> Callable[[Path], Demo]:
    import copy

    def make(root: Path) -> Demo:
        shutil.copytree(clean_demo.root, root)
        return Demo(root, clean_demo.profile, copy.deepcopy(clean_demo.images))

    return make
