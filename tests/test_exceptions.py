"""Recorded exceptions: a known finding with a reason does not shut the gate; an entry that cannot be relied on does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result
from pedicxr_release.cli import main
from pedicxr_release.demo.faults import plant

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.demo.write import Demo

ENTRY = {"check": "LAB108", "path": "image_labels_train.csv", "reason": "published so", "who": "A. B.", "date": "2026-01-31"}


def run(demo: Demo, *arguments: str) -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(main, ["validate", str(demo.root), "--format", "json", *arguments])
    return result, json.loads(result.stdout) if result.stdout else {}


@pytest.fixture
def faulty(demo: Demo) -> Demo:
    plant("no-label", demo)
    return demo


def record(demo: Demo, *entries: dict[str, Any]) -> None:
    (demo.root.parent / "exceptions.yaml").write_text(yaml.safe_dump(list(entries)))


def test_an_excepted_finding_is_listed_and_does_not_shut_the_gate(faulty: Demo) -> None:
    assert run(faulty)[0].exit_code == 1
    record(faulty, ENTRY)
    result, report = run(faulty)
    assert result.exit_code == 0
    assert report["counts"]["excepted"] == 1
    (finding,) = [f for f in report["findings"] if f["code"] == "LAB108"]
    assert finding["excepted"] is True
    packaged = CliRunner().invoke(main, ["package", str(faulty.root), str(faulty.root.parent / "out")])
    assert packaged.exit_code == 0, packaged.output
    verified = CliRunner().invoke(main, ["verify", str(faulty.root.parent / "out" / "vindr-pcxr-1.0.0")])
    assert verified.exit_code == 0, verified.output  # by the exceptions in the evidence beside it


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"check": "no-global-label"}, None, id="by-name"),
        pytest.param({"row": 2}, None, id="by-row"),
        pytest.param({"path": None, "everywhere": True}, None, id="everywhere"),
        pytest.param({"until": "2999-01-01"}, None, id="still-valid"),
        pytest.param({"until": "2020-01-01"}, "RUN202", id="expired"),
        pytest.param({"row": 9999}, "RUN201", id="other-row"),
        pytest.param({"path": "elsewhere.csv"}, "RUN201", id="other-path"),
        pytest.param({"check": "BOX104"}, "RUN201", id="other-check"),
        pytest.param({"check": "XYZ999"}, "RUN201", id="no-such-check"),
        pytest.param({"reason": ""}, "RUN203", id="no-reason"),
        pytest.param({"reason": "  "}, "RUN203", id="blank-reason"),
        pytest.param({"who": None}, "RUN203", id="nobody"),
        pytest.param({"date": None}, "RUN203", id="no-date"),
        pytest.param({"check": "PHI101"}, "RUN204", id="identity"),
        pytest.param({"check": "LAY103"}, "RUN204", id="crosswalk"),
        pytest.param({"check": "RUN101"}, "RUN204", id="the-run-itself"),
    ],
)
def test_entries(faulty: Demo, change: dict[str, Any], code: str | None) -> None:
    record(faulty, {**ENTRY, **change})
    result, report = run(faulty)
    about = [f["code"] for f in report["findings"] if f["code"].startswith("RUN")]
    assert about == ([code] if code else [])
    assert result.exit_code == (1 if code else 0)


def test_identity_cannot_be_excepted(demo: Demo) -> None:
    path = plant("patient-name", demo)
    record(demo, {**ENTRY, "check": "PHI101", "path": path})
    result, report = run(demo)
    assert result.exit_code == 1
    assert {"PHI101", "RUN204"} <= {f["code"] for f in report["findings"] if not f.get("excepted")}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("- check: LAB108\n", "entry 1"),
        ("- {check: LAB108, path: x, raeson: y}\n", "raeson"),
        ("{", "not YAML"),
        ("- {check: LAB108, row: 3, image_id: x}\n", "a row needs a path"),
        ("- {check: LAB108, path: x, date: yesterday}\n", "date"),
    ],
)
def test_a_wrong_file_is_a_clear_error(demo: Demo, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "own.yaml").write_text(content)
    result, _ = run(demo, "--exceptions", str(tmp_path / "own.yaml"))
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_missing_file_that_was_asked_for_is_an_error(demo: Demo, tmp_path: Path) -> None:
    result, _ = run(demo, "--exceptions", str(tmp_path / "none.yaml"))
    assert result.exit_code == 2


def test_a_draft_is_not_yet_valid_and_becomes_so(faulty: Demo, tmp_path: Path) -> None:
    plant("patient-id", faulty)
    draft = faulty.root.parent / "exceptions.yaml"
    assert run(faulty, "--record-exceptions", str(draft))[0].exit_code == 1
    entries = yaml.safe_load(draft.read_text())
    assert [entry["check"] for entry in entries] == ["LAB108"]  # identity is not offered
    result, report = run(faulty)
    assert result.exit_code == 1
    assert "RUN203" in {f["code"] for f in report["findings"]}
    for entry in entries:
        entry.update(reason="known", who="A. B.", date="2026-01-31")
    record(faulty, *entries)
    _, report = run(faulty)
    assert {f["code"] for f in report["findings"] if f["severity"] == "error" and not f.get("excepted")} == {"PHI101"}


def test_a_draft_of_nothing_is_an_empty_list(demo: Demo, tmp_path: Path) -> None:
    run(demo, "--record-exceptions", str(tmp_path / "draft.yaml"))
    assert yaml.safe_load((tmp_path / "draft.yaml").read_text()) == []
