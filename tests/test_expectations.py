"""Great Expectations carries the release's statistical promises; of its results only counts come out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from pedicxr_release.cli import main
from pedicxr_release.demo.write import Demo, write_demo
from pedicxr_release.expectations import Suite, _mentioned, load_suites
from pedicxr_release.profile import load_profile, profile_folder

if TYPE_CHECKING:
    from pedicxr_release.profile import Profile


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> Demo:
    """Large enough for the built-in suites, which apply from a hundred rows on."""
    return write_demo(tmp_path_factory.mktemp("large") / "c", profile, 240, 3, downscale=8)


def own_profile(folder: Path, suite: dict[str, Any] | str) -> Path:
    own = folder / "own"
    shutil.copytree(profile_folder("pedicxr"), own)
    (own / "suite.json").write_text(suite if isinstance(suite, str) else json.dumps(suite))
    text = (own / "release.yaml").read_text()
    (own / "release.yaml").write_text(text + "\nexpectations: [suite.json]\n")
    return own


def run(demo: Demo, *arguments: str | Path) -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(main, ["validate", str(demo.root), "--format", "json", *map(str, arguments)])
    return result, json.loads(result.stdout) if result.stdout else {}


def suite(*expectations: dict[str, Any], frame: str = "images", **meta: Any) -> dict[str, Any]:
    return {"name": "own", "meta": {"frame": frame, **meta}, "expectations": list(expectations)}


def test_the_built_in_suites_are_met_by_what_follows_table_3(large: Demo) -> None:
    result, report = run(large)
    assert result.exit_code == 0, result.stderr
    assert not [f for f in report["findings"] if f["code"] in ("STA102", "STA104")]


def test_built_in_suites_cover_every_frame(profile: Profile) -> None:
    assert {loaded.meta.frame for loaded in load_suites(profile)} == {"images", "boxes", "labels"}


NOT_MET = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "sex", "value_set": ["M"], "mostly": 0.99}}


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        pytest.param(suite(NOT_MET), "STA102", "expect_column_values_to_be_in_set of images.sex is not met: ", id="not-met"),
        pytest.param(
            suite({"type": "expect_table_row_count_to_equal", "kwargs": {"value": 9125}}), "STA102", "of images is not met", id="table"
        ),
        pytest.param(suite({"type": "expect_column_mean_to_be_between", "kwargs": {"column": "nope", "min_value": 0}}), "STA104", "images.nope", id="no-such-column"),
        pytest.param(suite({"type": "expect_column_max_to_be_between", "kwargs": {"column": "x_max", "max_value": 1}}, frame="boxes"), "STA102", "boxes.x_max", id="boxes"),
        pytest.param(suite({"type": "expect_column_sum_to_be_between", "kwargs": {"column": "CPAM", "min_value": 999}}, frame="labels"), "STA102", "labels.CPAM", id="labels"),
    ],
)  # fmt: skip
def test_an_expectation_that_is_not_met(large: Demo, tmp_path: Path, content: dict[str, Any], code: str, says: str) -> None:
    result, report = run(large, "--profile", own_profile(tmp_path, content))
    assert result.exit_code == 1
    (finding,) = [f for f in report["findings"] if f["code"].startswith("STA1") and f["severity"] == "error"]
    assert finding["code"] == code
    assert says in finding["message"]


def test_a_suite_applies_from_its_number_of_rows_on(large: Demo, tmp_path: Path) -> None:
    own = own_profile(tmp_path, suite(NOT_MET, minimum_rows=10_000))
    assert run(large, "--profile", own)[0].exit_code == 0


def test_expectations_can_be_left_out(large: Demo, tmp_path: Path) -> None:
    own = own_profile(tmp_path, suite(NOT_MET))
    assert run(large, "--profile", own, "--no-expectations")[0].exit_code == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("{", "not JSON", id="json"),
        pytest.param({"name": "x", "expectations": [NOT_MET]}, "meta", id="no-frame"),
        pytest.param(suite(NOT_MET, frame="patients"), "meta.frame", id="no-such-frame"),
        pytest.param(suite(), "expectations", id="none"),
        pytest.param(suite({"type": "expect_nonsense"}), "expectation 1 (expect_nonsense)", id="no-such-expectation"),
        pytest.param(
            suite({"type": "expect_column_mean_to_be_between", "kwargs": {"colum": "rows"}}), "colum", id="wrong-argument"
        ),
        pytest.param(suite({"type": "x", "kwarg": {}}), "kwarg", id="unknown-key"),
    ],
)
def test_a_wrong_suite_is_a_clear_error(large: Demo, tmp_path: Path, content: dict[str, Any] | str, says: str) -> None:
    result, _ = run(large, "--profile", own_profile(tmp_path, content))
    assert result.exit_code == 2
    assert "suite.json" in result.stderr
    assert says in result.stderr


def test_a_missing_suite_is_a_clear_error(large: Demo, tmp_path: Path) -> None:
    own = own_profile(tmp_path, suite(NOT_MET))
    (own / "suite.json").unlink()
    result, _ = run(large, "--profile", own)
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_data_docs_are_written_without_values(large: Demo, tmp_path: Path) -> None:
    own = own_profile(tmp_path, suite(NOT_MET, {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "rows"}}))
    run(large, "--profile", own, "--data-docs", tmp_path / "docs")
    pages = [path.read_text(encoding="utf-8") for path in (tmp_path / "docs").rglob("*.html")]
    assert len(pages) >= 3
    assert not [image.image_id for image in large.images["train"] if any(image.image_id in page for page in pages)]


def test_great_expectations_is_not_imported_by_the_gate_itself() -> None:
    import subprocess
    import sys

    script = "import sys, pedicxr_release.validation; print('great_expectations' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_the_suites_are_what_great_expectations_itself_writes() -> None:
    """The JSON files name, besides our meta, only what a suite of Great Expectations has."""
    for loaded in load_suites(load_profile("pedicxr")):
        content = json.loads(Path(loaded.file).read_text())
        assert set(content) == {"name", "meta", "expectations"}
        assert Suite.model_validate(content).expectations


@pytest.mark.parametrize(
    ("expectation", "columns"),
    [
        pytest.param({"type": "expect_column_max_to_be_between", "kwargs": {"column": "a"}}, ["a"], id="one"),
        pytest.param({"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "a", "column_B": 'b "c"'}}, ["a", 'b "c"'], id="pair"),
        pytest.param({"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["d", "a"]}}, ["a", "d"], id="list"),
        pytest.param({"type": "expect_column_max_to_be_between", "kwargs": {"column": "a", "row_condition": "d > 3"}}, ["a", "d"], id="condition"),
        pytest.param({"type": "expect_table_row_count_to_equal", "kwargs": {"value": 1}}, ["a"], id="rows"),
        pytest.param({"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": ["a"]}}, ["a", 'b "c"', "d"], id="the-columns-themselves"),
    ],
)  # fmt: skip
def test_only_columns_that_are_mentioned_are_sent(expectation: dict[str, Any], columns: list[str]) -> None:
    frame = pd.DataFrame({"a": [1], 'b "c"': [2], "d": [3]})
    about, other = (Suite.model_validate(suite(expectation, frame=name)) for name in ("boxes", "images"))
    assert list(_mentioned(frame, [about], "boxes").columns) == columns
    assert list(_mentioned(frame, [other], "boxes").columns) == ["a"]
